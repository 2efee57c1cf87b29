// @ts-check
import { part } from "../dom.js";

part("print")?.addEventListener("click", () => print());
