import { FileError } from "../errors.ts";

/*
 * Files that hold a disk in a format of their own, or packed. Their bytes are not the disk's: a
 * snapshot of them would never boot, and nobody would know before it is needed.
 */

/** Bytes from the start of a file that tell all formats but the fixed VHD. */
export const HEAD_BYTES = 512;
/** Length of the footer at the end of a VHD; a fixed one has its name there and nowhere else. */
export const FOOTER_BYTES = 512;

/** A format that is no raw image, and what makes one of it. */
interface ImageFormat {
  readonly name: string;
  /** qemu-img's name of it, or undefined for a packed file. */
  readonly qemuName?: string;
  /** What unpacks a packed file to standard output. */
  readonly unpacker?: string;
  /** Bytes in hexadecimal, and where in the file they stand. */
  readonly magic: string;
  readonly offset?: number;
}

/**
 * Sources of the magic numbers: QEMU's docs/interop/qcow2 and block/{vmdk,vpc,vhdx,vdi,qed}.c;
 * RFC 1952 and RFC 8878; the file formats of xz and bzip2.
 */
const FORMATS: readonly ImageFormat[] = [
  { name: "qcow2", qemuName: "qcow2", magic: "514649fb" },
  { name: "VMDK", qemuName: "vmdk", magic: "4b444d56" },
  { name: "VMDK", qemuName: "vmdk", magic: "434f5744" },
  { name: "VMDK descriptor", qemuName: "vmdk", magic: "23204469736b2044657363726970746f72" },
  { name: "VHDX", qemuName: "vhdx", magic: "7668647866696c65" },
  { name: "VHD", qemuName: "vpc", magic: "636f6e6563746978" },
  { name: "VDI", qemuName: "vdi", magic: "7f10dabe", offset: 64 },
  { name: "QED", qemuName: "qed", magic: "51454400" },
  { name: "gzip", unpacker: "gzip -dc", magic: "1f8b08" },
  { name: "xz", unpacker: "xz -dc", magic: "fd377a585a00" },
  { name: "zstd", unpacker: "zstd -dc", magic: "28b52ffd" },
  { name: "bzip2", unpacker: "bzip2 -dc", magic: "425a6839314159265359" },
];

/**
 * Throws a `FileError` with the code `NOT_RAW` when a file is of a format that is no raw image.
 * `footer` is the last 512 bytes, where they can be had.
 */
export function checkIsRaw(
  path: string,
  { head, footer }: { readonly head: Uint8Array; readonly footer: Uint8Array | undefined },
): void {
  const format =
    FORMATS.find((format) => hasMagic(head, format)) ??
    FORMATS.find((format) => format.name === "VHD" && footer && hasMagic(footer, format));
  if (!format) return;
  const { name, qemuName, unpacker } = format;
  const next =
    qemuName === undefined
      ? `Unpack it on the way: ${unpacker} ${quote(path)} | varve upload - --volume-size GIB`
      : `Make a raw image of it: qemu-img convert -f ${qemuName} -O raw ${quote(path)} ` +
        quote(`${path.replace(/\.\w+$/, "")}.raw`);
  const message =
    `${path} is no raw image but ${name}: its bytes are not those of the disk. ${next} ` +
    "(or upload the file as it is with --raw).";
  throw new FileError(message, { path, code: "NOT_RAW" });
}

function hasMagic(bytes: Uint8Array, { magic, offset = 0 }: ImageFormat): boolean {
  const wanted = Buffer.from(magic, "hex");
  return wanted.equals(bytes.subarray(offset, offset + wanted.length));
}

function quote(path: string): string {
  return /^[\w./:@%+=-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
