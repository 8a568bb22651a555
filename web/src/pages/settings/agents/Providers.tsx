import { useMutation, useQuery } from "@tanstack/react-query";
import { problemFrom } from "@/api/problem";
import { checkProvider, providersQuery, type Price, type Provider, type ProviderCheck } from "@/api/queries/providers";
import { visible } from "@/format/text";
import { Button } from "@/ui/Button";
import { cx } from "@/ui/classes";
import { Icon } from "@/ui/Icon";
import { Read } from "../parts";
import { dollars } from "./group";

/** The providers that the builtin agent can ask, whether each has its key, and what models cost. */
export function Providers({ notAdmin }: { notAdmin: string | null }) {
  const query = useQuery(providersQuery);
  return (
    <section aria-labelledby="providers" className="flex flex-col gap-3 border-t border-line pt-5">
      <h2 id="providers" className="text-lg font-semibold">Providers of models</h2>
      <Read query={query} what="The providers" lines={4}>
        {(providers) => (
          <>
            <p className="text-soft">
              {providers.default_model == null
                ? <>The builtin agent has no model to ask: no provider has its key. Set one in the environment of the server, or in <code>providers.toml</code> of its data folder.</>
                : <>The builtin agent asks <code className="text-ink">{visible(providers.default_model)}</code> where none is named. Keys stand on the plane&apos;s machine and are never shown.</>}
            </p>
            <ul aria-label="Providers" className="flex flex-col">
              {providers.items.map((provider) => <ProviderRow key={provider.name} provider={provider} notAdmin={notAdmin} />)}
            </ul>
            <Prices prices={providers.prices} of={providers.prices_of} />
          </>
        )}
      </Read>
    </section>
  );
}

function keyOf(provider: Provider): { icon: "check" | "dash" | "cross"; words: string } {
  if (!provider.enabled) return { icon: "dash", words: "turned off" };
  if (provider.key_from == null) return { icon: "check", words: "needs no key" };
  if (provider.key_present) return { icon: "check", words: `key from ${provider.key_from}` };
  return { icon: "dash", words: `no key in ${provider.key_from}` };
}

function ProviderRow({ provider, notAdmin }: { provider: Provider; notAdmin: string | null }) {
  const check = useMutation({ mutationFn: () => checkProvider(provider.name) });
  const key = keyOf(provider);
  const name = visible(provider.name);
  const why = notAdmin ?? (provider.enabled ? null : "It is turned off in providers.toml");
  return (
    <li className="flex flex-col gap-1 border-t border-line py-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="font-medium break-all">{name}</h3>
        <span className="inline-flex min-w-0 items-center gap-1.5 text-sm text-soft">
          <Icon name={key.icon} size={14} className={cx("shrink-0", key.icon === "check" && "text-good")} />
          <span className="break-all">{visible(key.words)}</span>
        </span>
        <Button className="ml-auto" busy={check.isPending} blocked={why} onClick={() => check.mutate()} aria-label={`Check ${name}`}>Check</Button>
      </div>
      <p className="text-sm break-all text-soft">
        {[provider.default_model, provider.price == null ? null : `${dollars(provider.price.input)} in, ${dollars(provider.price.output)} out`, provider.base_url].flatMap((word) => (word == null || word === "" ? [] : [visible(word)])).join(" · ")}
      </p>
      <div role="status">{check.data !== undefined && <Found check={check.data} />}</div>
      {check.error !== null && <p role="alert" className="text-sm text-bad">{problemFrom(check.error).detail}</p>}
    </li>
  );
}

function Found({ check }: { check: ProviderCheck }) {
  const isBad = check.state === "failed" || check.state === "key_refused";
  const [icon, tone] = check.state === "ready" ? (["check", "text-good"] as const) : isBad ? (["cross", "text-bad"] as const) : (["dash", "text-soft"] as const);
  return (
    <p className={cx("flex gap-2 text-sm", tone)}>
      <Icon name={icon} size={14} className="mt-0.5 shrink-0" />
      <span className="min-w-0 break-words">{check.state === "ready" && "It answers and takes the key: "}{visible(check.words)}</span>
    </p>
  );
}

function Prices({ prices, of }: { prices: readonly Price[]; of: string }) {
  return (
    <details className="rounded-lg border border-line">
      <summary className="cursor-pointer px-3 py-2 font-medium">Prices of {prices.length} models, as of {of}</summary>
      <div className="overflow-x-auto border-t border-line px-3 pb-2" tabIndex={0} role="region" aria-label="Prices">
        <table className="w-full text-sm tabular-nums">
          <caption className="py-2 text-left text-soft">Dollars a million tokens. A model that no line fits costs an unknown amount, and does not run under a cap.</caption>
          <thead>
            <tr className="text-left text-soft">
              <th scope="col" className="py-1 pr-4 font-medium">Model</th>
              {["Input", "From cache", "To cache", "Output"].map((name) => <th key={name} scope="col" className="py-1 pl-4 text-right font-medium">{name}</th>)}
            </tr>
          </thead>
          <tbody>
            {prices.map((price) => (
              <tr key={`${price.model} ${price.set ? "set" : ""}`} className="border-t border-line">
                <th scope="row" className="py-1 pr-4 text-left font-normal break-all">
                  {visible(price.model)}
                  {price.set && <span className="ml-2 text-accent">set here</span>}
                  {price.up_to_tokens != null && <span className="ml-2 text-soft">up to {price.up_to_tokens.toLocaleString("en-US")} tokens</span>}
                </th>
                {[price.input, price.cached_input, price.cache_write, price.output].map((amount, at) => <td key={at} className="py-1 pl-4 text-right">{dollars(amount)}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
