import assert from "node:assert/strict";
import { test } from "node:test";

import { isCardLike, readCard } from "../../static/js/cards.js";

const CCCD =
  "011059000123|040123456|Lò Văn Pánh|12031959|Nam|Bản Co Chạy, Mường Pồn, Điện Biên|01072021";
const PANH = {
  personal_number: "011059000123",
  old_number: "040123456",
  full_name: "Lò Văn Pánh",
  birth: "12/03/1959",
  sex: "male",
  address: "Bản Co Chạy, Mường Pồn, Điện Biên",
};
const hex = (text) => Buffer.from(text).toString("hex");

test("an identity card fills the form, whatever follows its fields", () => {
  for (const text of [CCCD, `${CCCD}\r\n`, `${CCCD}|Lò Văn A|`, CCCD.normalize("NFD")])
    assert.deepEqual(readCard(text), PANH);
});

test("a card without an old number or a day of birth", () => {
  const card = readCard("011159000124||Quàng Thị Ún|00001959|Nữ|Bản Co Chạy");
  assert.equal(card?.birth, "1959");
  assert.equal(card?.sex, "female");
  assert.equal(card?.old_number, "");
});

test("an insurance card has its name and address in hexadecimal", () => {
  const text = `dt 4 11 0110059123|${hex("Lò Văn Pánh")}|12/03/1959|1|${hex("Bản Co Chạy")}|11 - 019|01/01/2026|31/12/2026`;
  assert.deepEqual(readCard(text), {
    insurance_number: "DT4110110059123",
    full_name: "Lò Văn Pánh",
    birth: "12/03/1959",
    sex: "male",
    address: "Bản Co Chạy",
  });
});

const BHYT = (name, address) =>
  `DT4110110059123|${name}|12/03/1959|1|${address}|11 - 019|01/01/2026|-|01/01/2020|11110110059123|-|4|01/01/2026|1598b3-7102|$`;

test("an insurance card of every year and print", () => {
  const names = ["Lò Văn Pánh", "Lò Văn Pánh".normalize("NFD"), " Lò  Văn Pánh\0"].map(hex);
  for (const name of [...names, names[0].toUpperCase()]) {
    for (const address of ["", "-"]) {
      const card = readCard(BHYT(name, address));
      assert.equal(card?.full_name, "Lò Văn Pánh");
      assert.equal(card?.address, "");
    }
  }
  assert.equal(readCard(BHYT(names[0], "").replace("DT4110110059123", "0110059123"))?.insurance_number, "0110059123");
});

test("what an input method has changed is no card, though it looks like one", () => {
  for (const text of [BHYT("4cđ2", ""), BHYT("4cá", ""), BHYT("4c", "").replace("DT4", "TÉ4")]) {
    assert.equal(readCard(text), null);
    assert.equal(isCardLike(text), true);
  }
  assert.equal(isCardLike("011059000123"), false);
});

test("what is no card is left to the server", () => {
  const none = ["", "hello", "a|b|c|d|e|f", CCCD.replace("011059000123", "0110"), "011059000123|x"];
  for (const text of [...none, `DT4110110059123|ff|1959|1|${hex("x")}|f`, "DT4110110059123|zz|1959|1||f"])
    assert.equal(readCard(text), null);
});
