import { useQuery } from "@tanstack/react-query";
import { ledgerFile, runLedgerQuery, type LedgerLine } from "@/api/queries/ledger";
import { dollars } from "@/format/money";
import { counted } from "@/format/number";
import { visible } from "@/format/text";
import { absolute, clock, day, instant } from "@/format/time";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { useMedia } from "@/ui/media";
import { Empty, Failed, SkeletonRows } from "@/ui/states";
import { Status } from "@/ui/Status";
import { VirtualRows } from "@/ui/VirtualRows";
import { costWords, lookOfLine } from "./lines";
import { standingOfRun } from "./RunBudget";

const GRID = "grid grid-cols-[9.5rem_7.5rem_6rem_minmax(9rem,15rem)_minmax(0,1fr)] items-center gap-x-4";

/** What a run set aside and spent, line by line, as `proofhouse ledger show --run` has it (W23). */
export function LedgerView({ run, project }: { run: string; project: string }) {
  const ledger = useQuery(runLedgerQuery(run));
  const phone = useMedia("(max-width: 639px)");
  if (ledger.data === undefined) {
    return ledger.error === null
      ? <SkeletonRows rows={4} columns={["8rem", "6rem", "5rem", "40%"]} label="Loading the ledger" />
      : <Failed what="The ledger could not be loaded" error={ledger.error} busy={ledger.isFetching} onRetry={() => void ledger.refetch()} />;
  }
  const { lines } = ledger.data;
  const standing = standingOfRun(ledger.data);
  const pool = ledger.data.pools.find((one) => one.pool === "day");
  return (
    <>
      <div className="flex shrink-0 flex-wrap items-center gap-x-5 gap-y-1 border-b border-line px-4 py-2 text-soft">
        <span>{counted(lines.length, "line")}</span>
        {standing !== null && standing.toppedUp > 0 && <span>{dollars(standing.toppedUp)} of the cap was topped up</span>}
        {pool?.left_micro_usd != null && <span>the day has {dollars(pool.left_micro_usd)} left</span>}
        {lines.length > 0 && (
          <a href={ledgerFile(project, run)} download={`ledger-${run}.csv`} className="ml-auto inline-flex items-center gap-1 underline underline-offset-2 hover:text-ink">
            <Icon name="download" size={14} /> CSV
          </a>
        )}
      </div>
      {lines.length === 0 ? (
        <Empty icon="file" title="Nothing was set aside yet">
          <p>Before anything that costs money is started for this run, a line here says how much was set aside for it; when it ends, another says what was spent or given back.</p>
        </Empty>
      ) : (
        <VirtualRows
          key={phone ? "phone" : "wide"} label={`Ledger of the run: ${counted(lines.length, "line")}`} count={lines.length} height={phone ? 66 : 36} columns={5}
          keyOf={(at) => lines[at]?.number ?? at}
          head={
            <div role="row" className={cx("h-8 border-b border-line px-4 text-sm text-faint", phone ? "sr-only" : GRID)}>
              <span role="columnheader">When</span>
              <span role="columnheader">Line</span>
              <span role="columnheader" className="text-right">Amount</span>
              <span role="columnheader">Cost</span>
              <span role="columnheader">Why</span>
            </div>
          }
          row={(at) => {
            const line = lines[at];
            return line === undefined ? null : <Row line={line} phone={phone} />;
          }}
        />
      )}
    </>
  );
}

function Row({ line, phone }: { line: LedgerLine; phone: boolean }) {
  const at = instant(line.at);
  const cost = costWords(line);
  const when = <time dateTime={line.at} title={absolute(at)} className="num text-faint">{day(at)} {clock(at)}</time>;
  const why = <span className="block truncate text-soft" title={visible(line.because)}>{visible(line.because)}{line.late && <span className="text-warning"> (late)</span>}</span>;
  return (
    <div className={cx("h-full border-b border-line px-4", phone ? "grid grid-cols-[minmax(0,1fr)_auto] content-center gap-x-3" : GRID)}>
      <span role="cell" className={cx(phone && "order-3")}>{when}</span>
      <span role="cell" className={cx("flex", phone && "order-1")}><Status look={lookOfLine(line)} /></span>
      <span role="cell" className={cx("num text-right font-medium", phone && "order-2")}>{dollars(line.micro_usd)}</span>
      <span role="cell" className={cx(line.cost_state === "unknown" ? "text-warning" : "text-soft", phone && "order-4 text-right text-sm")}>{cost}</span>
      <span role="cell" className={cx("min-w-0", phone && "order-5 col-span-2 text-sm")}>{why}</span>
    </div>
  );
}
