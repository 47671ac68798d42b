// The hostile clients in a process of their own: carries out each attack it is sent, one after
// another, and says what came of it. Ends when the test does.
import { type AttackOrder, attack } from "./_attacks.ts";

process.on("message", async (order: AttackOrder) => {
  process.send?.(await attack(order));
});
process.on("disconnect", () => process.exit());
