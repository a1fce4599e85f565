/** The icons in use: 16 px grid, 1.4 px stroke, round ends. Status glyphs differ in shape, not only in colour. */
export const ICONS = {
  queued: '<circle cx="8" cy="8" r="5.3" stroke-dasharray="1.6 2.56"/>',
  running: '<circle cx="8" cy="8" r="5.3" opacity=".3"/><path d="M8 2.7a5.3 5.3 0 0 1 3.2 9.5"/>',
  done: '<path d="m3.2 8.6 3.2 3.1 6.4-7"/>',
  failed: '<path d="M8 1.9 14.1 8 8 14.1 1.9 8Z"/><path d="M8 5.2v3.4M8 10.7v.1"/>',
  warn: '<path d="M8 2.3 14.2 13H1.8Z"/><path d="M8 6.4v3.2M8 11.2v.1"/>',
  stopped: '<circle cx="8" cy="8" r="5.3"/><path d="M6.2 6.2h3.6v3.6H6.2Z" fill="currentColor" stroke="none"/>',
  offline: '<path d="M5.4 2.5v2.8M10.6 2.5v2.8M3.6 5.3h8.8v2.2a4.4 4.4 0 0 1-8.8 0ZM8 12v2"/><path d="m2 14 12-12"/>',
  send: '<path d="M8 13V3.4M3.9 7.4 8 3.2l4.1 4.2"/>',
  stop: '<rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" stroke="none"/>',
  retry: '<path d="M12.9 8A4.9 4.9 0 1 1 11.2 4.3M11.6 1.8v2.8H8.8"/>',
  copy: '<rect x="5.5" y="5.5" width="7.5" height="7.5" rx="1"/><path d="M3 10.4V4a1 1 0 0 1 1-1h6.4"/>',
  wrap: '<path d="M2.5 4h11M2.5 8h8.8a2.1 2.1 0 0 1 0 4.3H8.4M10 10.6l-1.7 1.7L10 14M2.5 12.3h2.8"/>',
  down: '<path d="m4.2 6.3 3.8 3.8 3.8-3.8"/>',
  plus: '<path d="M8 3.2v9.6M3.2 8h9.6"/>',
  download: '<path d="M8 2.6v7.6M4.7 7.2 8 10.4l3.3-3.2M3 13.2h10"/>',
  key: '<circle cx="5" cy="8" r="2.6"/><path d="M7.6 8h6M11.4 8v2.2"/>',
  python: '<path d="m5 5-3 3 3 3M11 5l3 3-3 3M9.2 3.6 6.8 12.4"/>',
  close: '<path d="m4 4 8 8M12 4l-8 8"/>',
} as const;

export type IconName = keyof typeof ICONS;
