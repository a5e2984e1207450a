import { check } from "../errors.js";
import { crc32Of } from "../io/crc32.js";
import { quote } from "../io/files.js";

/** What config.json says: `config`, with a checksum, as one flipped bit would make another run of it. */
export const configText = (config: object): string => `${JSON.stringify({ ...config, checksum: checksumOf(config) }, null, 2)}\n`;

/** What configText was given, from the contents of the file `path`; those without a checksum are taken as they are. Throws ERR_LCONV_IO when it does not match. */
export function checkedConfig(path: string, contents: unknown): unknown {
  if (typeof contents !== "object" || contents === null || !("checksum" in contents)) return contents;
  const { checksum, ...config } = contents;
  const expected = checksumOf(config);
  check(
    checksum === expected,
    "ERR_LCONV_IO",
    () =>
      `${path}: it has changed since it was written: its checksum is ${quote(checksum)}, that of its settings ${expected}; restore it, or delete the key "checksum" if the change was meant`,
  );
  return config;
}

/** CRC-32 of the JSON with sorted keys, so that neither their order nor white space matters. */
function checksumOf(config: object): string {
  const sorted = (_: string, value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return crc32Of(JSON.stringify(config, sorted));
}
