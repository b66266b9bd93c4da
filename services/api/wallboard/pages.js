// Which tiles a TV shows when there are more queues than it has room for. Pure.

export const TILES_PER_PAGE = 8;
const PAGE_MS = 20_000;

/** Page to show, counted from 0. It turns every 20 s and stays on one that holds an untaken critical. */
export function pageAt(nowMs, needsHands) {
  const pages = Math.max(1, Math.ceil(needsHands.length / TILES_PER_PAGE));
  const held = needsHands.indexOf(true);
  const page = held >= 0 ? Math.floor(held / TILES_PER_PAGE) : Math.floor(nowMs / PAGE_MS) % pages;
  return { page, pages };
}

/** Whether the queue at `index` stands on `page`. */
export const isOnPage = (index, page) => Math.floor(index / TILES_PER_PAGE) === page;
