// The types of PTX and what they are in C++.

export interface Type {
  cpp: string;
  bits: number;
  isFloat: boolean;
}

const integer = (cpp: string, bits: number): Type => ({ cpp, bits, isFloat: false });

export const types: ReadonlyMap<string, Type> = new Map([
  ...[8, 16, 32, 64].flatMap((bits): [string, Type][] => [
    [`s${bits}`, integer(`int${bits}_t`, bits)],
    [`u${bits}`, integer(`uint${bits}_t`, bits)],
    [`b${bits}`, integer(`uint${bits}_t`, bits)],
  ]),
  ["f32", { cpp: "float", bits: 32, isFloat: true }],
  ["f64", { cpp: "double", bits: 64, isFloat: true }],
  ["pred", { cpp: "bool", bits: 1, isFloat: false }],
]);

/** The C++ type of a register: bits without a meaning. */
export const registerType = ({ bits }: Type): string => (bits === 1 ? "bool" : `uint${bits}_t`);
