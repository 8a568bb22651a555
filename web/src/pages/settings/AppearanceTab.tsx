import { setTheme, useTheme, type Theme } from "@/shell/theme";
import { cx } from "@/ui/classes";
import { Icon, type IconName } from "@/ui/Icon";

const THEMES: readonly (readonly [Theme, string, IconName])[] = [["system", "As the system", "screen"], ["light", "Light", "sun"], ["dark", "Dark", "moon"]];

/** How the page looks in this browser. */
export function AppearanceTab() {
  const theme = useTheme();
  return (
    <fieldset>
      <legend className="mb-2 font-medium">Theme</legend>
      <div className="flex flex-wrap gap-2">
        {THEMES.map(([name, label, icon]) => (
          <label key={name} className={cx("flex h-9 items-center gap-2 rounded-md border px-3 has-focus-visible:outline-2 has-focus-visible:outline-accent", theme === name ? "border-accent bg-accent-tint font-medium" : "border-line-strong text-soft")}>
            <input type="radio" name="theme" className="sr-only" checked={theme === name} onChange={() => setTheme(name)} />
            <Icon name={icon} size={14} /> {label}
          </label>
        ))}
      </div>
      <p className="mt-2 text-sm text-soft">Kept in this browser.</p>
    </fieldset>
  );
}
