/** Just enough of a document to see what a module writes into it. */

const byRole = /^\[data-role="(.+)"\]$/;

export class FakeElement {
  attributes = new Map();
  dataset = {};
  children = [];
  hidden = false;
  #listeners = new Map();

  constructor(tag) {
    this.tagName = tag;
  }

  get classList() {
    const names = () => new Set((this.attributes.get("class") ?? "").split(" ").filter(Boolean));
    const write = (set) => this.attributes.set("class", [...set].join(" "));
    return {
      add: (...added) => write(new Set([...names(), ...added])),
      remove: (...gone) => write(new Set([...names()].filter((name) => !gone.includes(name)))),
      toggle: (name, on) => this.classList[on ? "add" : "remove"](name),
      contains: (name) => names().has(name),
    };
  }

  get className() {
    return this.attributes.get("class") ?? "";
  }

  get childNodes() {
    return this.children;
  }

  get textContent() {
    return this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join("");
  }

  setAttribute(name, value) {
    this.attributes.set(name, value);
    if (name.startsWith("data-")) this.dataset[name.slice(5)] = value;
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  removeAttribute(name) {
    this.attributes.delete(name);
  }

  append(...children) {
    for (const child of children) if (child instanceof FakeElement) child.parent = this;
    this.children.push(...children);
  }

  replaceChildren(...children) {
    this.children = [];
    this.append(...children);
  }

  remove() {
    this.parent.children = this.parent.children.filter((child) => child !== this);
  }

  addEventListener(type, listener) {
    this.#listeners.set(type, listener);
  }

  click() {
    this.#listeners.get("click")?.({});
  }

  *[Symbol.iterator]() {
    for (const child of this.children) {
      if (!(child instanceof FakeElement)) continue;
      yield child;
      yield* child;
    }
  }

  /** Knows `[data-role="x"]`, `.class`, `[data-x]` and tag names. */
  querySelectorAll(selector) {
    const role = byRole.exec(selector)?.[1];
    return [...this].filter((element) => {
      if (role) return element.dataset.role === role;
      if (selector.startsWith(".")) return element.classList.contains(selector.slice(1));
      if (selector.startsWith("[")) return element.attributes.has(selector.slice(1, -1));
      return element.tagName === selector;
    });
  }

  querySelector(selector) {
    return this.querySelectorAll(selector)[0] ?? null;
  }
}

/** An element with attributes and children. */
export function build(tag, attributes = {}, ...children) {
  const element = new FakeElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Make `root` the document of the modules under test. */
export function openPage(root) {
  globalThis.HTMLElement = FakeElement;
  globalThis.document = Object.assign(root, {
    createElement: (tag) => new FakeElement(tag),
    createElementNS: (_namespace, tag) => new FakeElement(tag),
  });
  return root;
}
