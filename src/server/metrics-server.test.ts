import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectPlainly } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { makeCertificates } from "../../test/support/certificates.ts";
import { listenForScrapes } from "./metrics-server.ts";

const METRICS = { contentType: "text/plain", text: async () => "varve_up 1\n" };

test("scrapers see a renewed certificate, and one who says nothing holds nobody up", async () => {
  const [first, second] = [makeCertificates(), makeCertificates()];
  const identity = ({ server }: typeof first) => ({ certificate: server.cert, key: server.key });
  const address = { host: "127.0.0.1", port: 0, tls: identity(first) };
  const server = await listenForScrapes(METRICS, address, (error) => assert.fail(String(error)));
  const seen = async ({ authority }: typeof first) => {
    const { port } = server;
    const socket = connect({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: authority.cert,
    });
    await once(socket, "secureConnect").finally(() => socket.destroy());
  };
  await seen(first);
  server.renew(identity(second));
  await seen(second);
  await assert.rejects(seen(first), "the certificate of before is seen no more");
  const silent = connectPlainly(server.port, "127.0.0.1");
  await once(silent, "connect");
  const closed = once(silent, "close");
  silent.on("error", () => undefined).resume();
  await server.close();
  await closed;
});
