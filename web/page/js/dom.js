// Elements made in place, without HTML text: nothing that a server sends can become markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Properties that begin with "on" are listeners, `class` and attributes are set as they are,
 * null and false leave an attribute out, true sets it empty; children are nodes or text, null is skipped.
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(node, child);
    else node.append(child);
  }
}

/** Put children into an element in place of what is there. */
export function replace(node, ...children) {
  node.replaceChildren();
  add(node, children);
  return node;
}

/** Set an element's text, touching the page only when it changes: screen readers stay calm. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set or, with null, remove an attribute, touching the page only when it changes. */
export function mark(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}
