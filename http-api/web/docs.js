// Shows the OpenAPI description of this node, without anything from elsewhere.

import { $, copy, h, setText } from "./dom.js";
import { startTheme } from "./theme.js";

function curl(method, path, operation) {
  const json = operation.requestBody?.content["application/json"];
  const body = json ? " \\\n  -H 'Content-Type: application/json' -d '{}'" : operation.requestBody ? " \\\n  --data-binary 'text'" : "";
  const verb = method === "get" ? "" : ` -X ${method.toUpperCase()}`;
  return `curl${verb} -H "Authorization: Bearer $TOKEN" ${location.origin}${path}${body}`;
}

function fields(schema, document) {
  const name = schema?.$ref?.split("/").at(-1);
  const properties = Object.entries(document.components.schemas[name]?.properties ?? {});
  if (!properties.length) return null;
  return h("div", { class: "table-scroll" }, h("table", {}, h("tbody", {}, properties.map(([field, about]) =>
    h("tr", {}, h("td", { class: "mono" }, field), h("td", {}, type(about)), h("td", {}, about.description ?? ""))))));
}

function type(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.oneOf) return schema.oneOf.map(type).join(" or ");
  if (schema.items) return `list of ${type(schema.items)}`;
  return [schema.type].flat().filter(Boolean).join(" or ");
}

function operation(path, method, about, document) {
  const command = curl(method, path, about);
  const parameters = about.parameters.map((p) => h("tr", {},
    h("td", { class: "mono" }, p.name), h("td", {}, p.in), h("td", {}, p.description ?? "")));
  const [status, answer] = Object.entries(about.responses).find(([code]) => code !== "default");
  const json = answer.content?.["application/json"];
  return h("details", { class: "operation", id: about.operationId },
    h("summary", {}, h("span", { class: "method" }, method.toUpperCase()), h("span", { class: "path" }, path),
      h("span", { class: "about" }, about.summary, about.deprecated ? " For old clients only." : "")),
    h("div", { class: "operation-body" },
      parameters.length ? h("div", { class: "table-scroll" }, h("table", {}, h("tbody", {}, parameters))) : null,
      about.requestBody?.content["application/json"] ? h("div", {}, h("h3", {}, "Body"),
        fields(about.requestBody.content["application/json"].schema, document)) : null,
      h("div", {}, h("h3", {}, `Answer ${status}`), json ? fields(json.schema, document) : h("p", { class: "fine" }, answer.description)),
      h("pre", {}, h("code", {}, command)),
      h("div", { class: "row" }, h("button", { class: "button small", type: "button", onclick: () => copy(command, "Command") }, "Copy as curl"))));
}

const ORDER = ["node", "peers", "search", "inbox", "events", "services", "introducers", "settings", "auth", "page"];
const place = (tag) => (ORDER.includes(tag) ? ORDER.indexOf(tag) : ORDER.length);

async function start() {
  startTheme();
  const response = await fetch("/v1/openapi.json");
  if (!response.ok) {
    setText($("docs-status"), "Log in first: run p2p ui, then come back here.");
    return;
  }
  const document = await response.json();
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, about]) => ({ path, method, about })));
  // What is kept for old clients comes last in its group.
  all.sort((a, b) => place(a.about.tags[0]) - place(b.about.tags[0]) || Boolean(a.about.deprecated) - Boolean(b.about.deprecated));
  const groups = new Map();
  for (const { path, method, about } of all) {
    const tag = about.tags[0];
    groups.set(tag, [...(groups.get(tag) ?? []), operation(path, method, about, document)]);
  }
  const count = all.length;
  setText($("docs-status"), `${document.info.title} ${document.info.version}, ${count} operations.`);
  $("operations").replaceChildren(...[...groups].map(([tag, list]) => h("section", {}, h("h2", {}, tag), ...list)));
}

start();
