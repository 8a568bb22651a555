import { useQuery } from "@tanstack/react-query";
import type { Shape } from "@/api/client";
import { Refused, problemOf } from "@/api/problem";
import { bytes } from "@/format/number";
import { visible } from "@/format/text";
import { Icon } from "@/ui/Icon";
import { Bar, Failed } from "@/ui/states";

/** As much of a text is shown here; the rest is in the file. */
const TEXT = 64_000;

const IMAGE = /\.(png|jpe?g|gif|webp)$/i;
const WORDS = /\.(txt|log|md|csv|json)$/i;

/** A file that a command left: pictures and texts are shown where they stand. */
export function Artifact({ artifact, href }: { artifact: Shape<"ArtifactRecord">; href: string }) {
  const name = visible(artifact.path);
  return (
    <figure className="flex flex-col gap-1.5">
      <figcaption className="flex items-center gap-2 text-sm">
        <Icon name="file" size={13} className="text-faint" />
        <code className="min-w-0 break-all">{name}</code>
        <span className="num shrink-0 text-faint">{bytes(artifact.bytes)}</span>
        <a href={href} download={artifact.path.split("/").at(-1)} className="ml-auto inline-flex shrink-0 items-center gap-1 text-soft hover:text-ink hover:underline">
          <Icon name="download" size={13} /> Download
        </a>
      </figcaption>
      {IMAGE.test(artifact.path) && (
        <a href={href} target="_blank" rel="noreferrer" className="self-start rounded-md border border-line">
          <img src={href} alt={`Artifact ${name}`} loading="lazy" className="max-h-80 max-w-full rounded-md" />
        </a>
      )}
      {WORDS.test(artifact.path) && <Text href={href} name={name} size={artifact.bytes} />}
    </figure>
  );
}

function Text({ href, name, size }: { href: string; name: string; size: number }) {
  const query = useQuery({
    queryKey: ["artifact", href],
    queryFn: async ({ signal }) => {
      const response = await fetch(href, { signal, ...(size > TEXT ? { headers: { range: `bytes=0-${TEXT - 1}` } } : {}) });
      if (!response.ok) throw new Refused(problemOf(await response.json().catch(() => null), response.status));
      return response.text();
    },
    staleTime: Infinity,
  });
  if (query.isPending) return <Bar width="60%" />;
  if (query.data === undefined) return <Failed what={`${name} could not be loaded`} error={query.error} busy={query.isFetching} onRetry={() => void query.refetch()} />;
  return (
    <pre tabIndex={0} aria-label={name} className="max-h-64 overflow-auto rounded-md border border-line bg-panel px-2 py-1 text-sm whitespace-pre">
      {query.data.split("\n").map(visible).join("\n")}
      {size > TEXT && "\n…"}
    </pre>
  );
}
