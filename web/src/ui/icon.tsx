/** The icons: strokes on a 24 × 24 field, in the colour of the text they stand in. */
import type { JSX } from "preact";

const strokes = {
  overview: "M4 4h7v9H4zM13 4h7v5h-7zM13 12h7v8h-7zM4 16h7v4H4z",
  map: "M6 6m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M18 5m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M14 18m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0M8.3 7.2l4 8.5M17.2 7.4l-2.3 8.2M8.5 5.8l7-.6",
  live: "M3 12h4l2.5-7 5 14 2.5-7h4",
  incidents: "M12 3.5 21.5 20h-19zM12 10v4.5M12 17.2v.3",
  approvals: "M4 5h16v11H9l-5 4zM8.5 10.5l2.5 2.5 4.5-5",
  tools: "M14.5 6.5a4.5 4.5 0 0 0-5.8 5.8L3.5 17.5l3 3 5.2-5.2a4.5 4.5 0 0 0 5.8-5.8l-2.8 2.8-3-3z",
  policy: "M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h5",
  crypto: "M12 3l8 3v6c0 4.5-3.4 7.6-8 9-4.6-1.4-8-4.5-8-9V6zM9.5 12l2 2 3.5-4",
  audit: "M5 4h14v16H5zM8.5 8.5h7M8.5 12h7M8.5 15.5h4",
  compliance: "M12 4v16M7 20h10M5 7h14M5 7l-2.5 6a2.5 2.5 0 0 0 5 0zM19 7l-2.5 6a2.5 2.5 0 0 0 5 0z",
  account: "M12 8m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0M4.5 20.5a7.5 7.5 0 0 1 15 0",
  login: "M14 4h5v16h-5M4 12h11M11 8l4 4-4 4",
  logout: "M10 4H5v16h5M9 12h11M16 8l4 4-4 4",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M7 7l10 10M17 7L7 17",
  warning: "M12 3.5 21.5 20h-19zM12 10v4.5M12 17.2v.3",
  info: "M12 12m-9 0a9 9 0 1 0 18 0a9 9 0 1 0-18 0M12 11v6M12 7.5v.3",
  clock: "M12 12m-9 0a9 9 0 1 0 18 0a9 9 0 1 0-18 0M12 7v5l3.5 2",
  stop: "M8 3h8l5 5v8l-5 5H8l-5-5V8zM8.5 12h7",
  pause: "M8 5v14M16 5v14",
  play: "M7 4.5v15l12-7.5z",
  filter: "M3.5 5h17l-6.5 8v6l-4 2v-8z",
  search: "M10.5 10.5m-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0-13 0M15.5 15.5 21 21",
  download: "M12 3v12M7 10.5l5 5 5-5M4 20h16",
  upload: "M12 16V4M7 8.5l5-5 5 5M4 20h16",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  refresh: "M20 12a8 8 0 1 1-2.5-5.8M20 3v4.5h-4.5",
  undo: "M8 5L4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11H9",
  lock: "M5.5 11h13v9.5h-13zM8 11V8a4 4 0 0 1 8 0v3",
  unlock: "M5.5 11h13v9.5h-13zM8 11V8a4 4 0 0 1 7.8-1.3",
  key: "M8 15m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0M11.3 11.7 20 3M16.5 6.5l3 3",
  eye: "M2.5 12s3.5-6.5 9.5-6.5 9.5 6.5 9.5 6.5-3.5 6.5-9.5 6.5S2.5 12 2.5 12zM12 12m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  right: "M9 6l6 6-6 6",
  left: "M15 6l-6 6 6 6",
  external: "M13 4h7v7M20 4l-9 9M18 14v6H4V6h6",
  server: "M4 4.5h16v6H4zM4 13.5h16v6H4zM7.5 7.5h.3M7.5 16.5h.3",
  robot: "M5 8.5h14v11H5zM12 8.5V4.5M9 13v1.5M15 13v1.5M2.5 12.5v4M21.5 12.5v4",
  sun: "M12 12m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  system: "M3 4.5h18v12H3zM9 20h6M12 16.5V20",
  keyboard: "M2.5 6h19v12h-19zM6 10h.3M10 10h.3M14 10h.3M18 10h.3M7 14h10",
  dot: "M12 12m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",
} as const;

export type IconName = keyof typeof strokes;

/** Decoration: the word stands beside it, or on its button as a label. */
export function Icon({ name, size = 18 }: { readonly name: IconName; readonly size?: number }): JSX.Element {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={strokes[name]} />
    </svg>
  );
}
