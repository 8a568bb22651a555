import { Link, useRouter, type ErrorComponentProps } from "@tanstack/react-router";
import { useEffect } from "react";
import { problemFrom } from "@/api/problem";
import { Failed } from "@/ui/states";

/** A place that there is not. */
export function NotFound() {
  return (
    <div className="mx-auto flex max-w-xl flex-col gap-2 px-4 py-16">
      <title>Not found · Proofhouse</title>
      <h1 className="text-xl font-semibold">There is nothing here</h1>
      <p className="text-soft">The address may be mistyped, or what it led to is gone.</p>
      <p>
        <Link to="/" className="text-accent underline underline-offset-2">
          Home
        </Link>
      </p>
    </div>
  );
}

const RELOADED = "reloaded-for";

/** A page that could not be shown. */
export function RouteFailed({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const stale = /dynamically imported module|Importing a module script failed|module script/i.test(problemFrom(error).detail);
  useEffect(() => {
    // After an upgrade of the server this page's chunks are gone: the new document names the new ones.
    if (!stale || sessionStorage.getItem(RELOADED) === location.href) return;
    sessionStorage.setItem(RELOADED, location.href);
    location.reload();
  }, [stale]);
  return (
    <Failed
      what="This page could not be shown"
      error={error}
      onRetry={() => {
        reset();
        void router.invalidate();
      }}
    />
  );
}

/** The server does not say who this is: nothing can be shown yet. It is asked again while one looks. */
export function ShellFailed(props: ErrorComponentProps) {
  const { reset, error } = props;
  const router = useRouter();
  const away = problemFrom(error).status === 0;
  useEffect(() => {
    if (!away) return;
    const timer = setTimeout(() => {
      reset();
      void router.invalidate();
    }, 5_000);
    return () => clearTimeout(timer);
  });
  return (
    <div className="mx-auto max-w-3xl pt-[10dvh]">
      <title>Proofhouse</title>
      <h1 className="px-4 text-xl font-semibold">Proofhouse</h1>
      <RouteFailed {...props} />
    </div>
  );
}
