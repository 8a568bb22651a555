import { Link, useMatches } from "@tanstack/react-router";
import { Fragment } from "react";
import { cx } from "@/ui/classes";

declare module "@tanstack/react-router" {
  interface StaticDataRouteOption {
    /** What the breadcrumb calls this place. */
    crumb?: (params: Record<string, string>) => string;
  }
}

/** The way to this page. */
export function Crumbs() {
  const matches = useMatches();
  const crumbs = matches.flatMap((match) => {
    const label = match.staticData.crumb?.(match.params);
    return label === undefined ? [] : [{ id: match.id, label, path: match.pathname }];
  });
  return (
    <nav aria-label="Breadcrumb" className="min-w-0">
      <ol className="flex min-w-0 items-center gap-1.5">
        {crumbs.map(({ id, label, path }, at) => {
          const last = at === crumbs.length - 1;
          return (
            <Fragment key={id}>
              {at > 0 && <li aria-hidden="true" className="text-faint max-sm:hidden">/</li>}
              <li className={cx("min-w-0 truncate", !last && "max-sm:hidden")}>
                {last ? <span aria-current="page" className="font-medium">{label}</span> : <Link to={path} className="text-soft hover:text-ink hover:underline">{label}</Link>}
              </li>
            </Fragment>
          );
        })}
      </ol>
    </nav>
  );
}
