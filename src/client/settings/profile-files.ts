import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Variables of the environment by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings of one section of AWS's configuration files by name; nested ones as `ebs.x`. */
type Section = Readonly<Record<string, string | undefined>>;

/** What AWS's configuration files say for one profile. */
export interface Profile {
  readonly settings: Section;
  /** Endpoints of single services, from the section that the profile names. */
  readonly services: Section;
  /** True where credentials come by single sign-on, its own or its source profile's. */
  readonly isSignOn: boolean;
}

const NOTHING: Profile = { settings: {}, services: {}, isSignOn: false };

/** The profile that is named, by AWS's order: the caller's, the environment's; else undefined. */
export function profileNamed(profile: string | undefined, env: Environment): string | undefined {
  return profile ?? (env["AWS_PROFILE"] || undefined);
}

/** Reads a profile from the files of AWS's tools; a file or profile that is not there is empty. */
export async function readProfile(name: string, env: Environment): Promise<Profile> {
  const folder = join(homedir(), ".aws");
  const configFilepath = env["AWS_CONFIG_FILE"] || join(folder, "config");
  const filepath = env["AWS_SHARED_CREDENTIALS_FILE"] || join(folder, "credentials");
  if (!existsSync(configFilepath) && !existsSync(filepath)) return NOTHING;
  // Large, and needed only by those who have such files.
  const { loadSharedConfigFiles } = await import("@smithy/core/config");
  const files = await loadSharedConfigFiles({ configFilepath, filepath, ignoreCache: true });
  const settings = { ...files.configFile[name], ...files.credentialsFile[name] };
  const services = settings["services"];
  const source = files.configFile[settings["source_profile"] ?? ""] ?? {};
  return {
    settings,
    services: (services && files.configFile[`services.${services}`]) || {},
    isSignOn: [settings, source].some(
      (section) => "sso_session" in section || "sso_start_url" in section,
    ),
  };
}
