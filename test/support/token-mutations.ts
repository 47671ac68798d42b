import { pick } from "./property.ts";

/** How many ways of spoiling `mutateToken` has. */
export const TOKEN_MUTATION_COUNT = 8;

/** Changes bits, characters, the order or the length of a token, or mixes it up with itself. */
export function mutateToken(token: string, fraction: () => number): string {
  const bytes = Buffer.from(token, "base64");
  const at = pick(fraction, bytes.length);
  switch (pick(fraction, TOKEN_MUTATION_COUNT)) {
    case 0:
      bytes[at] = (bytes[at] as number) ^ (1 << pick(fraction, 8));
      return bytes.toString("base64");
    case 1:
      bytes[at] = (bytes[at] as number) + 1 + pick(fraction, 255);
      return bytes.toString("base64");
    case 2:
      return bytes.subarray(0, at).toString("base64");
    case 3: {
      const flipped = String.fromCharCode(token.charCodeAt(at) ^ (1 << pick(fraction, 7)));
      return token.slice(0, at) + flipped + token.slice(at + 1);
    }
    case 4:
      return bytes.fill(bytes.subarray(0, 4), at).toString("base64");
    case 5:
      return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]).toString("base64");
    case 6:
      return Buffer.from(bytes.map(() => pick(fraction, 256))).toString("base64");
    default:
      return Buffer.concat([bytes.subarray(0, at), bytes]).toString("base64");
  }
}
