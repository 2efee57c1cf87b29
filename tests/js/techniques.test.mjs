import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { fillFor, optionsOf } from "../../static/js/pages/techniques.js";

const FOUND = [
  { code: "18.1", name: "Siêu âm ổ bụng" },
  { code: "BS_18.2", name: "Siêu âm phổi" },
  { code: "1.2", name: "Ghi điện tim" },
  { code: "2.85", name: "Ghi điện tim" },
];

describe("techniques that are offered", () => {
  it("stand in the box that is typed in, with the other half as a note", () => {
    assert.deepEqual(optionsOf("code", FOUND.slice(0, 1)), [{ value: "18.1", label: "Siêu âm ổ bụng" }]);
    assert.deepEqual(optionsOf("name", FOUND.slice(0, 1)), [{ value: "Siêu âm ổ bụng", label: "18.1" }]);
  });

  it("fill in the other box once one is typed in full", () => {
    assert.equal(fillFor("code", " bs_18.2", "", "", FOUND), "Siêu âm phổi");
    assert.equal(fillFor("name", "Siêu âm ổ bụng", "", "", FOUND), "18.1");
    assert.equal(fillFor("code", "18", "", "", FOUND), null);
  });

  it("never write over what a hand has written", () => {
    assert.equal(fillFor("code", "18.1", "Siêu âm khác", "", FOUND), null);
    assert.equal(fillFor("code", "18.1", "Siêu âm phổi", "Siêu âm phổi", FOUND), "Siêu âm ổ bụng");
  });

  it("leave the code open where two have one name", () => {
    assert.equal(fillFor("name", "Ghi điện tim", "", "", FOUND), null);
  });
});
