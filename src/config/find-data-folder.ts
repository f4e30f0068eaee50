/** Where data lives when nobody says so: the platform's own place. Reads the environment that it is given alone. */
import os from "node:os";
import path from "node:path";

export function findDataFolder(env: Readonly<Record<string, string | undefined>>): string {
  if (process.platform === "win32") return path.join(env["LOCALAPPDATA"] ?? os.homedir(), "Sallyport");
  if (process.platform === "darwin") return path.join(os.homedir(), "Library", "Application Support", "Sallyport");
  return path.join(env["XDG_DATA_HOME"] ?? path.join(os.homedir(), ".local", "share"), "sallyport");
}
