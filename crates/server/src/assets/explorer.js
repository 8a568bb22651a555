// Renders the OpenAPI document as text and forms. Everything from the document is set as text, never as markup.
"use strict";

const make = (name, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children.filter((child) => child !== null));
  return element;
};

const resolve = (root, schema) => {
  const name = schema && schema.$ref ? schema.$ref.split("/").pop() : null;
  return name ? { name, ...((root.components || {}).schemas || {})[name] } : schema || {};
};

// A short text for a schema; `depth` keeps recursive ones finite.
const shape = (root, given, depth = 0) => {
  const schema = resolve(root, given);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const options = schema.oneOf || schema.anyOf || schema.allOf;
  if (options) return options.map((option) => shape(root, option, depth)).join(schema.allOf ? " & " : " | ");
  const type = [].concat(schema.type || "any").join(" | ");
  if (type.includes("array")) return `${shape(root, schema.items, depth)}[]`;
  if (!schema.properties) return schema.format ? `${type} (${schema.format})` : type;
  if (depth > 2) return schema.name || "object";
  const pad = "  ".repeat(depth + 1);
  const required = new Set(schema.required || []);
  const lines = Object.entries(schema.properties).map(
    ([key, value]) => `${pad}${key}${required.has(key) ? "" : "?"}: ${shape(root, value, depth + 1)}`,
  );
  return `{\n${lines.join("\n")}\n${"  ".repeat(depth)}}`;
};

const tryIt = (root, method, path, operation) => {
  const form = make("form");
  const fields = (operation.parameters || []).map((parameter) => {
    const input = make("input", { required: parameter.required === true, title: parameter.description || "" });
    const kind = shape(root, parameter.schema || {}).slice(0, 60);
    form.append(make("label", {}, `${parameter.name} `, make("span", { className: "soft" }, `${parameter.in}, ${kind}`), input));
    return [parameter, input];
  });
  const body = operation.requestBody ? make("textarea", { value: "{}", ariaLabel: "Body" }) : null;
  if (body) form.append(make("label", {}, "Body (JSON)", body));
  const answer = make("pre", { hidden: true });
  answer.setAttribute("role", "status");
  form.append(make("button", {}, `${method.toUpperCase()} it`), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let address = path;
    const query = new URLSearchParams();
    const headers = {};
    const token = document.getElementById("token").value.trim();
    if (token) headers.authorization = `Bearer ${token}`;
    for (const [parameter, input] of fields) {
      if (input.value === "") continue;
      if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      if (parameter.in === "query") query.set(parameter.name, input.value);
      if (parameter.in === "header") headers[parameter.name] = input.value;
    }
    if (body) headers["content-type"] = "application/json";
    if (query.size) address += `?${query}`;
    answer.hidden = false;
    answer.textContent = "...";
    const stop = new AbortController();
    try {
      const response = await fetch(address, { method: method.toUpperCase(), headers, body: body ? body.value : undefined, signal: stop.signal });
      answer.textContent = `${response.status} ${response.statusText}\n`;
      // Streams do not end by themselves: show the first seconds.
      if ((response.headers.get("content-type") || "").startsWith("text/event-stream")) setTimeout(() => stop.abort(), 5000);
      const reader = response.body ? response.body.pipeThrough(new TextDecoderStream()).getReader() : null;
      for (let part; reader && !(part = await reader.read()).done; ) {
        answer.textContent += part.value;
        if (answer.textContent.length > 200000) { answer.textContent += "\n(cut)"; stop.abort(); }
      }
    } catch (error) {
      answer.textContent += stop.signal.aborted ? "\n(stopped reading)" : `\n${error}`;
    }
  });
  return form;
};

const operationView = (root, method, path, operation) => {
  const details = make("details");
  details.append(make("summary", {}, make("span", { className: "method" }, method.toUpperCase()), ` ${path} `, make("span", { className: "soft" }, operation.summary || "")));
  details.dataset.text = `${method} ${path} ${operation.summary || ""} ${(operation.tags || []).join(" ")}`.toLowerCase();
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const inner = make("div");
    if (operation.description) inner.append(make("p", {}, operation.description));
    const rows = Object.entries(operation.responses || {}).map(([status, response]) => {
      const content = Object.entries(response.content || {})[0];
      return make("tr", {}, make("th", { scope: "row" }, status), make("td", {}, response.description || "",
        content ? make("pre", {}, `${content[0]}\n${shape(root, content[1].schema)}`) : null));
    });
    const content = operation.requestBody && Object.values(operation.requestBody.content || {})[0];
    if (content) inner.append(make("p", {}, "Body"), make("pre", {}, shape(root, content.schema)));
    inner.append(tryIt(root, method, path, operation), make("table", {}, make("caption", { className: "soft" }, "Answers"), make("tbody", {}, ...rows)));
    details.append(inner);
  }, { passive: true });
  return details;
};

(async () => {
  const state = document.getElementById("state");
  try {
    const root = await (await fetch("/api/openapi.json")).json();
    const list = document.getElementById("operations");
    for (const tag of root.tags || []) {
      const section = make("section", {}, make("h2", {}, tag.name), make("p", { className: "soft" }, tag.description || ""));
      for (const [path, item] of Object.entries(root.paths)) {
        for (const [method, operation] of Object.entries(item)) {
          if ((operation.tags || []).includes(tag.name)) section.append(operationView(root, method, path, operation));
        }
      }
      list.append(section);
    }
    const views = [...list.querySelectorAll("details")];
    state.textContent = `${views.length} operations, version ${root.info.version}`;
    document.getElementById("filter").addEventListener("input", (event) => {
      const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const view of views) {
        view.hidden = !words.every((word) => view.dataset.text.includes(word));
        shown += view.hidden ? 0 : 1;
      }
      state.textContent = `${shown} of ${views.length} operations`;
    });
  } catch (error) {
    state.className = "bad";
    state.textContent = `The document cannot be read: ${error}`;
  }
})();
