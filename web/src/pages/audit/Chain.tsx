import { useQuery } from "@tanstack/react-query";
import { problemFrom } from "@/api/problem";
import { chainQuery, verifiedQuery } from "@/api/queries/audit";
import { count, counted } from "@/format/number";
import { visible } from "@/format/text";
import { duration } from "@/format/time";
import { Button } from "@/ui/Button";
import { Copy } from "@/ui/Copy";
import { Bar, Code } from "@/ui/states";
import { Status } from "@/ui/Status";
import { Ago } from "@/ui/Time";

/** So much damage is worth reading on a page; the command line names all of it. */
const NAMED = 20;

/** Whether what stands here is what was written: the chain of this journal, and on demand all that is stored (K3, W29). */
export function Chain({ project, head }: { project: string; head: number | undefined }) {
  const chain = useChain(project);
  const whole = useWhole(project);
  return (
    <section aria-label="Chain" className="flex shrink-0 flex-col gap-1 border-b border-line px-4 py-1.5 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Found chain={chain} head={head} />
        <span className="ml-auto flex gap-1 max-sm:ml-0">
          <Button look="quiet" icon="retry" busy={chain.isFetching} onClick={() => void chain.refetch()}>{chain.isError ? "Retry" : "Check again"}</Button>
          <Button look="quiet" icon="seal" busy={whole.isFetching} onClick={() => void whole.refetch()}>Verify the whole project</Button>
        </span>
      </div>
      <Whole whole={whole} />
    </section>
  );
}

function Found({ chain, head }: { chain: ReturnType<typeof useChain>; head: number | undefined }) {
  const data = chain.data;
  if (chain.error !== null) return <Refusal what="The chain could not be checked" error={chain.error} />;
  if (data === undefined) return <p role="status" aria-label="Checking the chain" className="w-64"><Bar /></p>;
  if (!data.intact) {
    return (
      <p role="alert" className="min-w-0 break-words">
        <Status look={{ hue: "bad", icon: "broken", word: "Chain broken" }} />{" "}
        {data.damage != null && data.damage.seq > 0 && <>at <span className="num">#{count(data.damage.seq)}</span>: </>}
        {data.damage != null && visible(data.damage.what)}. Behind this place nothing can be trusted: hold it against a backup.
      </p>
    );
  }
  if (data.head === 0) return <p role="status" className="text-soft">Nothing is chained yet.</p>;
  const newer = head === undefined ? 0 : Math.max(0, head - data.head);
  return (
    <>
      <p role="status" className="flex flex-wrap items-center gap-x-3 gap-y-0.5 text-soft">
        <Status look={{ hue: "good", icon: "check", word: "Chain intact" }} />
        {data.entries > 0 && <span className="num">#{count(data.floor)} to #{count(data.head)} are as they were written</span>}
        {data.floor > 1 && <span className="num">{data.entries === 0 ? "all" : "older ones"} up to #{count(data.floor - 1)} are past their retention</span>}
        <span>checked <Ago at={data.checked_at} />{newer > 0 && <span className="num">, {count(newer)} newer since</span>}</span>
      </p>
      {typeof data.digest === "string" && (
        <span className="flex items-center text-faint max-lg:hidden" title={data.digest}>
          <code>{data.digest.slice(0, 12)}</code>
          <Copy text={data.digest} label="Copy the end of the chain: noted elsewhere, it proves that the whole journal was not written anew" />
        </span>
      )}
    </>
  );
}

function useChain(project: string) {
  return useQuery(chainQuery(project));
}

function useWhole(project: string) {
  return useQuery(verifiedQuery(project));
}

function Whole({ whole }: { whole: ReturnType<typeof useWhole> }) {
  if (whole.isFetching) return <p role="status" className="text-soft">Journals, evidence and blobs of the project are being read. It goes on when you leave the page.</p>;
  if (whole.error !== null) return <Refusal what="The project could not be verified" error={whole.error} />;
  const data = whole.data;
  if (data === undefined) return null;
  const read = `${counted(data.entries, "entry", "entries")} in ${counted(data.streams, "journal")}, ${count(data.evidence)} pieces of evidence and ${counted(data.blobs, "blob")}`;
  if (data.damage.length === 0) {
    return (
      <p role="status" className="flex flex-wrap items-center gap-x-3 text-soft">
        <Status look={{ hue: "good", icon: "check", word: "All as stored" }} />
        <span className="num">{read}; it took {duration(data.took)}, <Ago at={data.at} /></span>
      </p>
    );
  }
  return (
    <div role="alert" className="flex max-h-48 flex-col gap-0.5 overflow-y-auto">
      <p><Status look={{ hue: "bad", icon: "broken", word: `${count(data.damage.length)} damaged` }} /> <span className="num">of {read}, <Ago at={data.at} /></span></p>
      <ul>
        {data.damage.slice(0, NAMED).map((one, at) => (
          <li key={at} className="break-words">
            <code>{"stream" in one ? `${one.stream} #${one.seq}` : "evidence" in one ? one.evidence : "blob" in one ? one.blob : "database"}</code> {visible(one.what)}
          </li>
        ))}
      </ul>
      {data.damage.length > NAMED && <p className="text-soft">All of them: <code>proofhouse verify --project …</code></p>}
    </div>
  );
}

function Refusal({ what, error }: { what: string; error: Error }) {
  const problem = problemFrom(error);
  return <p role="alert" className="min-w-0 break-words text-bad">{what}: {problem.detail}{problem.hint !== "" && <span className="text-soft">; {problem.hint}</span>} (<Code code={problem.code} />)</p>;
}
