import { Link } from "@tanstack/react-router";
import { useAttention } from "@/attention/useAttention";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { PLACES, type Place } from "./places";
import { useProjectAtHand } from "./project";
import { ProjectSwitcher } from "./ProjectSwitcher";

/** The pages, at the left; at the bottom of a phone. */
export function Rail() {
  const { key } = useProjectAtHand();
  const places = PLACES.filter((place) => !place.ofProject || key !== null);
  return (
    <nav
      aria-label="Pages"
      className="flex shrink-0 border-line bg-panel max-sm:order-last max-sm:border-t sm:w-13 sm:flex-col sm:gap-0.5 sm:border-r sm:p-2 lg:w-50"
    >
      <div className="mb-2 max-sm:hidden">
        <ProjectSwitcher />
      </div>
      {places.map((place) => (
        <RailLink key={place.label} place={place} project={key} />
      ))}
    </nav>
  );
}

function RailLink({ place, project }: { place: Place; project: string | null }) {
  return (
    <Link
      to={place.to ?? "/"}
      params={place.ofProject ? { key: project ?? "" } : {}}
      activeOptions={{ exact: !place.ofProject, includeSearch: false }}
      title={`${place.label} (g ${place.key})`}
      className={cx(
        "flex items-center gap-2.5 rounded-md text-soft hover:bg-well hover:text-ink",
        "max-sm:h-13 max-sm:flex-1 max-sm:flex-col max-sm:justify-center max-sm:gap-0.5 max-sm:text-xs sm:h-8 sm:px-2.5 sm:max-lg:justify-center",
      )}
      activeProps={{ className: "bg-well !text-ink font-medium", "aria-current": "page" }}
    >
      <Icon name={place.icon} />
      <span className="sm:max-lg:sr-only">{place.label}</span>
      {place.label === "Home" && <Wanted />}
    </Link>
  );
}

/** How much wants a person, over all projects. */
function Wanted() {
  const number = useAttention().list.length;
  if (number === 0) return null;
  return (
    <span className="num rounded-full bg-warning-tint px-1.5 text-xs font-semibold text-warning sm:max-lg:sr-only lg:ml-auto max-sm:absolute max-sm:mb-5 max-sm:ml-7">
      {number > 99 ? "99+" : number}
      <span className="sr-only"> {number === 1 ? "thing needs" : "things need"} you</span>
    </span>
  );
}
