/** Light, dark, or as the system has it; kept in this browser. */
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";

const key = "latticegate-theme";

export const theme = signal<Theme>(kept());

export function setTheme(next: Theme): void {
  theme.value = next;
  localStorage.setItem(key, next);
  applyTheme();
}

export function applyTheme(): void {
  if (theme.value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
}

function kept(): Theme {
  const found = localStorage.getItem(key);
  return found === "light" || found === "dark" ? found : "system";
}
