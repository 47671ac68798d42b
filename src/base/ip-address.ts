/** Addresses that share their first bits, as `192.0.2.0/24` or `2001:db8::/32` says it. */
export interface IpRange {
  /** The address as a number of 128 bits; IPv4 as IPv6 writes it, below `::ffff:0:0/96`. */
  readonly first: bigint;
  /** Bits in common, 0 to 128. */
  readonly prefixLength: number;
}

/** What IPv6 puts before an IPv4 address. */
const MAPPED = 0xffff_0000_0000n;

/** Parses an address, or one with `/` and a count of bits; undefined when it is neither. */
export function parseIpRange(text: string): IpRange | undefined {
  const parts = /^([0-9a-fA-F:.]{2,45})(?:\/([0-9]{1,3}))?$/.exec(text);
  const address = parts?.[1] ?? "";
  const isV4 = !address.includes(":");
  const first = isV4 ? parseV4(address) : parseV6(address);
  const bits = isV4 ? 32 : 128;
  const prefixLength = Number(parts?.[2] ?? bits);
  if (first === undefined || prefixLength > bits) return undefined;
  return isV4
    ? { first: MAPPED | first, prefixLength: prefixLength + 96 }
    : { first, prefixLength };
}

/** True when every address of `inner` is one of `outer`. */
export function ipRangeContains(outer: IpRange, inner: IpRange): boolean {
  if (inner.prefixLength < outer.prefixLength) return false;
  const shift = BigInt(128 - outer.prefixLength);
  return outer.first >> shift === inner.first >> shift;
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split(".");
  // A leading zero means octal to some readers: two readers could differ.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part))) {
    return undefined;
  }
  if (parts.some((part) => Number(part) > 255)) return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseV6(text: string): bigint | undefined {
  const tail = /^(.*:)([0-9.]*\.[0-9.]*)$/.exec(text);
  const v4 = tail ? parseV4(tail[2] ?? "") : 0n;
  if (v4 === undefined) return undefined;
  const hex = tail ? `${tail[1]}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}` : text;
  const halves = hex.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], rest = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - rest.length;
  // `::` stands for at least one group of zeros.
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(missing).fill("0"), ...rest];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
