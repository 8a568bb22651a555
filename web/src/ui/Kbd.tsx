/** Keys to press: `g r`, `Ctrl K`. */
export function Kbd({ keys }: { keys: string }) {
  return (
    <span className="inline-flex shrink-0 gap-0.5">
      {keys.split(" ").map((key, at) => (
        <kbd key={`${key}${at}`} className="rounded-sm border border-line-strong/50 bg-bg px-1 text-xs text-soft">
          {key}
        </kbd>
      ))}
    </span>
  );
}
