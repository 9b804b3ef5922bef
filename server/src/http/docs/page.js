// Shows openapi.json. Everything from it goes in as text, never as markup.
"use strict";

const METHODS = ["get", "post", "patch", "put", "delete"];

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// A schema with the ones it refers to written out, each once on the way down.
function resolved(schema, schemas, above = []) {
  if (Array.isArray(schema)) return schema.map((one) => resolved(one, schemas, above));
  if (schema === null || typeof schema !== "object") return schema;
  const name = typeof schema.$ref === "string" ? schema.$ref.split("/").pop() : undefined;
  if (name !== undefined) return above.includes(name) ? name : resolved(schemas[name], schemas, [...above, name]);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value, schemas, above)]));
}

function body(title, content, schemas) {
  const schema = content?.["application/json"]?.schema;
  if (!schema) return [];
  const media = content["application/json"];
  const examples = media.examples ? Object.values(media.examples).map((one) => one.value) : [media.example];
  return [
    element("h4", title),
    ...examples.filter((one) => one !== undefined).map((one) => element("pre", JSON.stringify(one, null, 2))),
    folded("Schema", element("pre", JSON.stringify(resolved(schema, schemas), null, 2))),
  ];
}

function parameters(list) {
  if (!list?.length) return [];
  const all = element("ul");
  for (const one of list) {
    const item = element("li");
    item.append(element("code", one.name), ` in the ${one.in}${one.required ? ", required" : ""}. ${one.description ?? ""}`);
    all.append(item);
  }
  return [element("h4", "Parameters"), all];
}

function folded(title, ...inside) {
  const all = element("details");
  all.append(element("summary", title), ...inside);
  return all;
}

// What is answered with one status. Refusals look all alike: their codes are what differs.
function answer(status, response, schemas) {
  const title = `${status} ${response.description}`;
  if (!status.startsWith("2")) return [element("p", title)];
  const shown = body(title, response.content, schemas);
  return shown.length ? shown : [element("h4", title)];
}

function show(path, method, operation, schemas) {
  const shown = element("details");
  const head = element("summary");
  head.append(element("span", method.toUpperCase(), `method ${method}`), " ", element("code", path), ` ${operation.summary}`);
  shown.append(head);
  if (operation.description) shown.append(element("p", operation.description));
  shown.append(
    ...parameters(operation.parameters),
    ...body("Body", operation.requestBody?.content, schemas),
    ...Object.entries(operation.responses ?? {}).flatMap(([status, response]) => answer(status, response, schemas)),
  );
  return shown;
}

// The operations of each tag, in the document's order of tags: those of one tag need not be neighbours among the paths.
function byTag(api) {
  const groups = new Map(api.tags.map(({ name }) => [name, []]));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => methods[method])) {
      groups.get(methods[method].tags[0]).push({ path, method });
    }
  }
  return groups;
}

async function main() {
  const about = document.getElementById("about");
  const operations = document.getElementById("operations");
  try {
    const response = await fetch("openapi.json");
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const api = await response.json();
    about.textContent = api.info.description;
    for (const [tag, all] of byTag(api)) {
      operations.append(element("h2", tag));
      for (const { path, method } of all) {
        operations.append(show(path, method, api.paths[path][method], api.components.schemas));
      }
    }
  } catch (error) {
    about.textContent = `The description could not be loaded: ${error.message}. Reload the page to try again.`;
  }
}

main();
