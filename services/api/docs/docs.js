// Shows /openapi.json: paths, what they take and answer, and the schemas. No network but our own.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function withClass(made, name) {
  made.className = name;
  return made;
}

function schemaNode(schema) {
  if (!schema) return document.createTextNode("");
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    const link = element("a", name);
    link.href = `#schema-${name}`;
    return link;
  }
  const many = schema.anyOf ?? schema.oneOf;
  if (many) {
    return element("span", ...many.flatMap((part, i) => (i ? [" or ", schemaNode(part)] : [schemaNode(part)])));
  }
  if (schema.type === "array") return element("span", "list of ", schemaNode(schema.items ?? {}));
  if (schema.enum) return element("code", schema.enum.map((word) => JSON.stringify(word)).join(" | "));
  if ("const" in schema) return element("code", JSON.stringify(schema.const));
  if (schema.additionalProperties) {
    return element("span", "map to ", schemaNode(schema.additionalProperties));
  }
  return document.createTextNode([schema.type ?? "any"].flat().join(" or "));
}

function table(heads, rows) {
  const head = element("tr", ...heads.map((text) => element("th", text)));
  const body = rows.map((cells) => element("tr", ...cells.map((cell) => element("td", cell))));
  return element("table", element("thead", head), element("tbody", ...body));
}

function operation(path, method, said) {
  const inside = withClass(element("div"), "inside");
  if (said.description) inside.append(element("p", said.description));
  const takes = (said.parameters ?? []).map((p) => [
    element("code", p.name),
    p.in + (p.required ? ", required" : ""),
    schemaNode(p.schema),
    p.description ?? "",
  ]);
  if (takes.length) inside.append(table(["Parameter", "Where", "Type", "Meaning"], takes));
  const body = said.requestBody?.content?.["application/json"]?.schema;
  if (body) inside.append(element("p", "Body: ", schemaNode(body)));
  const gives = Object.entries(said.responses ?? {}).map(([status, answer]) => [
    element("code", status),
    answer.description ?? "",
    schemaNode(answer.content?.["application/json"]?.schema),
  ]);
  inside.append(table(["Answer", "When", "Body"], gives));
  const name = element("code", path);
  const verb = withClass(element("span", method.toUpperCase()), "method");
  return element("details", element("summary", verb, " ", name, ` ${said.summary ?? ""}`), inside);
}

function schemaDetails(name, schema) {
  const inside = withClass(element("div"), "inside");
  if (schema.description) inside.append(element("p", schema.description));
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([field, said]) => [
    element("code", field),
    required.has(field) ? "always" : "may be left out",
    schemaNode(said),
    said.description ?? "",
  ]);
  inside.append(rows.length ? table(["Field", "There", "Type", "Meaning"], rows) : element("p", schemaNode(schema)));
  const made = element("details", element("summary", element("code", name)), inside);
  made.id = `schema-${name}`;
  return made;
}

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named) named.open = true;
}

async function show() {
  const answer = await fetch("/openapi.json");
  const contract = await answer.json();
  document.getElementById("about").textContent = `${contract.info.description ?? ""} Version ${contract.info.version}.`;
  const groups = new Map();
  for (const [path, said] of Object.entries(contract.paths)) {
    for (const method of METHODS.filter((word) => said[word])) {
      const group = said[method].tags?.[0] ?? "other";
      groups.set(group, [...(groups.get(group) ?? []), operation(path, method, said[method])]);
    }
  }
  for (const [group, operations] of groups) {
    document.getElementById("paths").append(element("h2", group), ...operations);
  }
  const schemas = Object.entries(contract.components?.schemas ?? {}).sort(([a], [b]) => a.localeCompare(b));
  document.getElementById("schemas").append(...schemas.map(([name, schema]) => schemaDetails(name, schema)));
  addEventListener("hashchange", openNamed);
  openNamed();
}

show().catch(() => {
  document.getElementById("about").textContent = "The contract cannot be loaded now. Try again.";
});
