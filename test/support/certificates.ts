import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/*
 * Certificates for tests of TLS, written by hand: an authority of its own for each test, and no key
 * in the repository. X.509 after RFC 5280, in DER; keys are on P-256.
 */

const OIDS = {
  ecdsaWithSha256: "2a8648ce3d040302",
  commonName: "550403",
  basicConstraints: "551d13",
  subjectAltName: "551d11",
} as const;

/** A certificate and its private key, both in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority, and a certificate for `localhost` that it has signed. */
export function makeCertificates(): {
  readonly authority: Certificate;
  readonly server: Certificate;
} {
  const [root, leaf] = [newKeys(), newKeys()];
  const isAuthority = extension(OIDS.basicConstraints, sequence(der(0x01, Buffer.from([0xff]))));
  const names = extension(OIDS.subjectAltName, sequence(der(0x82, Buffer.from("localhost"))));
  const authority = { subject: "Test authority", serial: 1, extensions: isAuthority };
  const server = { subject: "localhost", serial: 2, extensions: names };
  return {
    authority: pemOf(certificate(authority, root.publicKey, root.privateKey), root.privateKey),
    server: pemOf(certificate(server, leaf.publicKey, root.privateKey), leaf.privateKey),
  };
}

function newKeys() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function certificate(
  parts: { readonly subject: string; readonly serial: number; readonly extensions: Buffer },
  publicKey: KeyObject,
  issuerKey: KeyObject,
): Buffer {
  const algorithm = sequence(oid(OIDS.ecdsaWithSha256));
  const body = sequence(
    der(0xa0, integer(2)),
    integer(parts.serial),
    algorithm,
    nameOf("Test authority"),
    sequence(der(0x17, Buffer.from("200101000000Z")), der(0x17, Buffer.from("491231235959Z"))),
    nameOf(parts.subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(parts.extensions)),
  );
  return sequence(body, algorithm, bits(sign("sha256", body, issuerKey)));
}

function nameOf(text: string): Buffer {
  return sequence(der(0x31, sequence(oid(OIDS.commonName), der(0x0c, Buffer.from(text)))));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(0x04, value));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.from([value]));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function bits(bytes: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.from([0]), bytes]));
}

/** Tag, length, value. */
function der(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const head = length < 0x80 ? [tag, length] : [tag, 0x82, Math.floor(length / 256), length % 256];
  return Buffer.concat([Buffer.from(head), value]);
}

function pemOf(certificateDer: Buffer, key: KeyObject): Certificate {
  const lines = certificateDer.toString("base64").match(/.{1,64}/g) ?? [];
  const cert = `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  return { cert, key: key.export({ type: "pkcs8", format: "pem" }) as string };
}
