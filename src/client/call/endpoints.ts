/** The AWS services whose calls a client makes, as they are named in signatures. */
export type ServiceName = "ebs" | "ec2" | "sts";

/** Where each service is reached. */
export type Endpoints = Readonly<Record<ServiceName, URL>>;

/** What a client is told of where its services are. */
export interface EndpointOptions {
  readonly endpoint: string;
  readonly endpoints?: Readonly<Partial<Record<ServiceName, string>>> | undefined;
  readonly region: string;
  readonly useFipsEndpoint?: boolean | undefined;
}

/** Given as an endpoint, means AWS itself in the client's region. */
const AWS_ENDPOINT = "aws";

const SERVICES = ["ebs", "ec2", "sts"] as const;

/**
 * Domains of AWS's partitions by how their regions begin. Source: the partitions of AWS's
 * endpoint rules, with which a test compares what is made of them here.
 */
const DOMAINS: readonly (readonly [regions: RegExp, domain: string])[] = [
  [/^cn-/, "amazonaws.com.cn"],
  [/^us-iso-/, "c2s.ic.gov"],
  [/^us-isob-/, "sc2s.sgov.gov"],
  [/^eu-isoe-/, "cloud.adc-e.uk"],
  [/^us-isof-/, "csp.hci.ic.gov"],
  [/^eusc-/, "amazonaws.eu"],
];
const DOMAIN_DEFAULT = "amazonaws.com";

/**
 * The address of each service: its own where it has one, else the one of all. Throws a
 * `TypeError` for an endpoint that is no web address, or a region that is no part of one.
 */
export function resolveEndpoints(options: EndpointOptions): Endpoints {
  const { endpoints = {}, endpoint } = options;
  const resolved = SERVICES.map((service) => {
    const given = endpoints[service] ?? endpoint;
    const address = given === AWS_ENDPOINT ? awsEndpoint(service, options) : given;
    return [service, parseEndpoint(address)] as const;
  });
  return Object.fromEntries(resolved) as Record<ServiceName, URL>;
}

/** AWS's own address of a service in a region. */
export function awsEndpoint(
  service: ServiceName,
  { region, useFipsEndpoint = false }: Pick<EndpointOptions, "region" | "useFipsEndpoint">,
): string {
  if (!/^[a-z0-9]+(-[a-z0-9]+)+$/.test(region)) {
    throw new TypeError(`Region '${region}' is no region of AWS, such as eu-central-1`);
  }
  const domain = DOMAINS.find(([regions]) => regions.test(region))?.[1] ?? DOMAIN_DEFAULT;
  // GovCloud's EC2 and STS are validated under their usual names.
  const isUsualName = region.startsWith("us-gov-") && service !== "ebs";
  const host = useFipsEndpoint && !isUsualName ? `${service}-fips` : service;
  return `https://${host}.${region}.${domain}`;
}

/** True for an address of AWS's own. */
export function isAwsEndpoint(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return endpoint === AWS_ENDPOINT;
  const { hostname } = new URL(endpoint);
  const domains = [DOMAIN_DEFAULT, ...DOMAINS.map(([, domain]) => domain)];
  return domains.some((domain) => hostname.endsWith(`.${domain}`));
}

function parseEndpoint(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.search && !url.username) return url;
  throw new TypeError(
    `Endpoint '${hidePassword(endpoint)}' is no address of the form http://host:port`,
  );
}

/** A password in an address is not repeated where others may read it. */
function hidePassword(endpoint: string): string {
  return endpoint.replace(/\/\/[^/@]*@/, "//…@");
}
