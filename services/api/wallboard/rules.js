// The rules in force, named above the alerts of the desk; each name opens the rule's definition.
// What a definition says is pure: a rule of GET /api/v1/rules and texts in, words out.

import * as format from "./format.js";
import { make, setAttribute, setShown, setText } from "./dom.js";
import { metricText } from "./strip_text.js";

const EXPRESSION = /^\s*(<=|>=|<|>)\s*(?:([\d.-]+)\s*\*\s*)?(\S+)\s*$/;

/** « au-dessus de la limite d'attente », « sous 80 % »; as written when it cannot be read. */
export function comparison(text, metric, { texts, lang }) {
  const [, operator, factor = "1", operand] = EXPRESSION.exec(text) ?? [];
  if (!operator) return text;
  const number = Number(operand);
  if (!Number.isNaN(number)) return texts.compared[operator](metricText(metric, Number(factor) * number, lang));
  const setting = texts.settings[operand] ?? operand;
  return texts.compared[operator](factor === "1" ? setting : texts.shareOf(format.share(Number(factor), lang), setting));
}

/** Metrics of this instant; the others are those of a window. */
const OF_NOW = new Set(["longest_wait_s", "agents.available", "backlog", "oldest_item_s", "oldest_item_business_s"]);

const metricName = ({ metric }, { texts }) => (texts.metrics[metric] ?? [metric, metric])[1];

/** What the definition of a rule says: [word, sentence] each. */
export function definition(rule, context) {
  const { texts } = context;
  const isOverWindow = !OF_NOW.has(rule.metric);
  return [
    [texts.ruleFires, `${metricName(rule, context)} ${comparison(rule.fire, rule.metric, context)}`],
    [texts.ruleEnds, rule.clear ? comparison(rule.clear, rule.metric, context) : texts.ruleEndsItself],
    isOverWindow && [texts.window, texts.ruleWindow(rule.window, rule.min_contacts)],
    [texts.queues, rule.queues?.join(", ") ?? texts.ruleEverywhere],
    rule.channels && [texts.ruleChannels, rule.channels.map((channel) => texts.channels[channel]).join(", ")],
    [texts.ruleSeverity, texts.states[rule.severity]],
    [texts.ruleName, rule.id],
  ].filter(Boolean);
}

/** The names above the strip and the dialog behind them. */
export class Rules {
  #epoch = null;

  constructor(nodes) {
    this.nodes = nodes;
  }

  label(context) {
    this.context = context;
    setText(this.nodes["rules-label"], context.texts.rules);
    setText(this.nodes["rule-close"], context.texts.close);
  }

  /** Reads the rules anew when another run of the api is heard; without them no name is shown. */
  async follow(epoch) {
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    try {
      const answer = await fetch(new URL("api/v1/rules", document.baseURI), { credentials: "same-origin" });
      this.#list((await answer.json()).rules);
    } catch {
      this.#list([]);
    }
  }

  #list(rules) {
    setShown(this.nodes.rules, rules.length > 0);
    this.nodes["rules-names"].replaceChildren(...rules.map((rule) => this.#name(rule)));
  }

  #name(rule) {
    const button = make("button", "rule", metricName(rule, this.context));
    button.type = "button";
    setAttribute(button, "title", rule.id);
    button.addEventListener("click", () => this.#open(rule));
    return button;
  }

  #open(rule) {
    const rows = definition(rule, this.context);
    setText(this.nodes["rule-title"], metricName(rule, this.context));
    this.nodes["rule-rows"].replaceChildren(...rows.flatMap(([word, text]) => [make("dt", "", word), make("dd", "", text)]));
    this.nodes["rule-dialog"].showModal();
  }
}
