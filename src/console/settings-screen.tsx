import { describeService, type ServiceDescription } from "../client/browser.ts";
import * as limits from "../model/limits.ts";
import { useConsole, useLoad } from "./console-context.ts";
import { EncryptionSettings } from "./encryption-settings.tsx";
import { Failure } from "./failure.tsx";
import { formatBytes, formatCount } from "./format.ts";
import { ifAllowed } from "./if-allowed.ts";
import { PruneSimulator } from "./prune-simulator.tsx";
import { RecycleBin } from "./recycle-bin.tsx";
import { ScreenParts } from "./screen-parts.tsx";

const PARTS = [
  { name: "", href: "#/settings", title: "Retention" },
  { name: "account", href: "#/settings/account", title: "Account" },
  { name: "service", href: "#/settings/service", title: "Service" },
];

/** What is kept for how long, how the account encrypts, and how the service was started. */
export function SettingsScreen({ subject }: { readonly subject: string }) {
  return (
    <>
      <ScreenParts title="Settings" parts={PARTS} shown={subject} />
      {subject === "" ? <PruneSimulator /> : null}
      {subject === "account" ? (
        <>
          <EncryptionSettings />
          <RecycleBin />
        </>
      ) : null}
      {subject === "service" ? <ServiceSettings /> : null}
    </>
  );
}

function ServiceSettings() {
  const { client } = useConsole();
  const loaded = useLoad("service", (signal) =>
    ifAllowed(describeService(client, { signal }), undefined),
  );
  const service = loaded.value;
  return (
    <>
      <section aria-labelledby="started-heading">
        <h2 id="started-heading">As it was started</h2>
        <Failure text={loaded.error} />
        {service ? (
          <StartOptions service={service} />
        ) : (
          <p class="empty">
            {loaded.isLoading
              ? "Loading …"
              : "Told to access keys without a policy of the account that manages the store."}
          </p>
        )}
      </section>
      <section aria-labelledby="limits-heading">
        <h2 id="limits-heading">Quotas and limits</h2>
        {service ? <p>{quotaText(service)}</p> : null}
        <table class="settings">
          <thead>
            <tr>
              <th scope="col">Limit</th>
              <th scope="col" class="number">
                Value
              </th>
            </tr>
          </thead>
          <tbody>
            {LIMITS.map(([name, value]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="number">{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

const LIMITS: readonly (readonly [name: string, value: string])[] = [
  ["Block", formatBytes(limits.BLOCK_SIZE_BYTES)],
  ["Largest volume", `${formatCount(limits.VOLUME_SIZE_GIB_MAX)} GiB`],
  ["Tags of a snapshot", formatCount(limits.TAGS_COUNT_MAX)],
  ["Characters of a policy", formatCount(limits.POLICY_CHARACTERS_MAX)],
  ["Accounts", formatCount(limits.ACCOUNTS_COUNT_MAX)],
  ["Access keys of an account", formatCount(limits.ACCESS_KEYS_COUNT_MAX)],
];

function quotaText({ Emulation }: ServiceDescription): string {
  const isLimited = Emulation !== null && Emulation["quotas"] === true;
  return isLimited
    ? "AWS's quotas are emulated: requests a second of each account, and snapshots pending at once."
    : "There are no quotas: requests a second and pending snapshots are not limited. With " +
        "--emulate quotas the service has those of AWS, for tests of clients.";
}

/** A start option, its value in words, and what changes it. */
type Option = readonly [name: string, value: string, change: string];

function optionsOf(service: ServiceDescription): readonly Option[] {
  const days = (count: number, none: string) => (count === 0 ? none : `${count} days`);
  return [
    ["Region", service.Region, "--region"],
    ["Recycle bin", days(service.RecycleBinDays, "none"), "--recycle-bin-days"],
    ["All is read again within", days(service.ScrubDays, "never by itself"), "--scrub-days"],
    [
      "Garbage is collected every",
      service.CollectMinutes === 0 ? "never by itself" : `${service.CollectMinutes} min`,
      "collectMinutes in the configuration file",
    ],
    [
      "Tokens have new secrets after",
      days(service.TokenSecretDays, "never by itself"),
      "tokenSecretDays in the configuration file; now: varve key rotate-tokens",
    ],
    ["Key-encryption key", service.KeyEncryptionKey, "--key-encryption-key"],
    ["Emulation, for tests of clients", emulationText(service), "--emulate"],
  ];
}

function emulationText({ Emulation }: ServiceDescription): string {
  if (Emulation === null) return "none";
  return Object.entries(Emulation)
    .map(([name, value]) => (value === true ? name : `${name} ${value}`))
    .join(", ");
}

function StartOptions({ service }: { readonly service: ServiceDescription }) {
  return (
    <>
      <table class="settings">
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col">Value</th>
            <th scope="col">Changed by</th>
          </tr>
        </thead>
        <tbody>
          {optionsOf(service).map(([name, value, change]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
              <td>
                <code>{change}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="quiet">
        These are options of <code>varve serve</code>: change them there and start it again. Nothing
        acknowledged is lost by that.
      </p>
    </>
  );
}
