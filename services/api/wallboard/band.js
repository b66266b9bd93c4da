// The band that takes the strip's place when the page is cut off from the server.

import * as format from "./format.js";
import { setAttribute, setShown, setText } from "./dom.js";
import { shape } from "./shapes.js";

/** Shown from 10 s without a frame. */
export class Band {
  constructor(nodes, { onRetry }) {
    this.nodes = nodes;
    nodes.band.prepend(shape("cut"));
    nodes.retry.addEventListener("click", onRetry);
  }

  label({ texts }) {
    setText(this.nodes.retry, texts.retry);
  }

  show(context) {
    const { nodes } = this;
    const isShown = context.link === "cut" && !context.isDenied;
    setShown(nodes.band, isShown);
    setAttribute(nodes.alerts, "data-cut", isShown ? "" : null);
    if (!isShown) return;
    const { texts, lang, silenceMs, lastFrameMs, timeZone } = context;
    const since = format.plain(format.duration(silenceMs / 1000, lang));
    const title = lastFrameMs === null
      ? texts.cutTitleEmpty(since)
      : texts.cutTitle(since, format.clock(lastFrameMs, timeZone));
    setText(nodes["band-title"], title);
    setText(nodes["band-detail"], detail(context));
  }
}

function detail({ texts, lang, lastFrameMs, retryInMs }) {
  const retry = retryInMs === null ? texts.retryNow : texts.retryIn(format.age(Math.ceil(retryInMs / 1000), lang));
  return lastFrameMs === null ? retry : `${texts.cutAdvice} ${retry}`;
}
