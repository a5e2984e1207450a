import type { Command, CommanderError, Option } from "commander";
import { clip, LconvError, oneOf, unknownName } from "../../errors.js";

/**
 * Finds the mistakes in a command line that commander lets pass, or names without help: a command or flag nobody knows (with the
 * nearest), a flag given twice, a flag where the value of another belongs. Throws ERR_LCONV_ARGUMENT, ERR_LCONV_OPTION.
 */
export function checkArgv(program: Command, argv: readonly string[]): void {
  let command = program;
  const seen = new Set<string>();
  for (let i = 0; i < argv.length && argv[i] !== "--"; i++) {
    const word = argv[i];
    if (!word.startsWith("-") || word === "-") {
      if (command.commands.length > 0 && word !== "help") command = subcommand(command, word);
      continue;
    }
    const [name] = word.split("=", 1);
    const option = findOption(command, name);
    if (!option) throw unknownFlag(command, name);
    if (seen.has(option.name())) throw new LconvError("ERR_LCONV_ARGUMENT", `${option.long} is given twice`);
    seen.add(option.name());
    if (option.required && name === word) checkValue(command, option, argv[++i]);
  }
}

// The visible ones, as --help is among these.
const options = (command: Command): readonly Option[] => command.createHelp().visibleOptions(command);

const findOption = (command: Command, name: string): Option | undefined =>
  options(command).find(({ long, short }) => name === long || name === short);

function subcommand(command: Command, name: string): Command {
  const names = command.commands.map((sub) => sub.name());
  return command.commands[names.indexOf(oneOf(fullName(command), "command", name, names))];
}

function checkValue(command: Command, option: Option, value: string | undefined): void {
  if (value !== undefined && !findOption(command, value.split("=", 1)[0])) return;
  throw new LconvError("ERR_LCONV_ARGUMENT", `${option.flags} needs a value, got ${clip(value ?? "none")}`);
}

function unknownFlag(command: Command, name: string): LconvError {
  const names = options(command).map((option) => option.long ?? "");
  return new LconvError(
    "ERR_LCONV_OPTION",
    unknownName(fullName(command), "flag", name, names, `all of them: ${fullName(command)} --help`),
  );
}

/** A command line without some flags that take a value. */
export function withoutFlags(argv: readonly string[], names: readonly string[]): string[] {
  const isOne = (word: string | undefined): boolean => names.includes(word?.split("=", 1)[0] ?? "");
  return argv.filter((word, i) => !isOne(word) && !(isOne(argv[i - 1]) && !argv[i - 1].includes("=")));
}

const fullName = (command: Command): string => (command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name());

/** Commander's own complaint as one of ours; undefined when it only ended after --help or --version. */
export function usageError(error: CommanderError): LconvError | undefined {
  if (error.exitCode === 0) return undefined;
  const text = error.code === "commander.help" ? "a command is missing; see lconv --help" : error.message.replace(/^error: /, "");
  return new LconvError("ERR_LCONV_ARGUMENT", clip(text, 300));
}
