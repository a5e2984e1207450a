// also on a GPU
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { readSafetensors, writeSafetensors } from "../../src/io/safetensors.js";
import { WeightSource } from "../../src/nn/init.js";
import { Linear } from "../../src/nn/layers.js";
import { Module } from "../../src/nn/module.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { sum } from "../../src/ops/reduce.js";
import { record } from "../../src/tensor/record.js";
import { type Tensor, tensor } from "../../src/tensor/tensor.js";
import { throwsCode } from "../support/throws.js";

const test = suite("nn/module");
const source = (): WeightSource => new WeightSource(device(), 0);
const parameter = (...values: number[]): Tensor => tensor(values, { requiresGrad: true });

class Fields extends Module {
  scale = parameter(1, 2);
  frozen = tensor([3]);
  layers: Module[] = [new Linear(source(), 2, 3), new Linear(source(), 3, 2, { bias: false })];
  heads = { left: new Linear(source(), 2, 1), right: { inner: new Linear(source(), 2, 1, { bias: false }) } };
  byName = new Map([["a", parameter(4)]]);
  nothing = undefined;
  sizes = [1, 2];
  override forward(x: Tensor): Tensor {
    return mul(
      this.layers.reduce((y, layer) => layer.forward(y), x),
      this.scale,
    );
  }
}

test("tensors and modules are found in fields, arrays, maps and plain objects, under their path and in order", () => {
  const m = new Fields();
  const names = [
    "scale",
    "frozen",
    "byName.a",
    "layers.0.W",
    "layers.0.b",
    "layers.1.W",
    "heads.left.W",
    "heads.left.b",
    "heads.right.inner.W",
  ];
  assert.equal([...m.namedParameters().keys()], names);
  assert.is(m.parameters().length, names.length - 1, "frozen is not trained");
  assert.is(m.modules().length, 5);
  assert.is(m.parameterCount(), 2 + 1 + 6 + 3 + 6 + 2 + 1 + 2);
  m.dispose();
});

test("two parts of one name are an error, also where neither is trained", () => {
  class Twice extends Module {
    "a.b" = tensor([1]);
    a = { b: tensor([2]) };
    override forward(x: Tensor): Tensor {
      return x;
    }
  }
  throwsCode(() => new Twice().save(), "ERR_LCONV_ARGUMENT", "Twice", '"a.b"');
  class Below extends Module {
    "l.W" = parameter(1);
    l = new Linear(source(), 1, 1);
    override forward(x: Tensor): Tensor {
      return x;
    }
  }
  throwsCode(() => new Below().parameters(), "ERR_LCONV_ARGUMENT", "Below", '"l.W"');
});

test("a result that is kept in a field is no parameter", () => {
  class Keeps extends Module {
    w = parameter(2);
    last: Tensor | undefined;
    override forward(x: Tensor): Tensor {
      this.last = mul(x, this.w);
      return this.last;
    }
  }
  const m = new Keeps();
  m.forward(tensor([3]));
  assert.equal([...m.namedParameters().keys()], ["w"]);
  m.dispose();
});

test("a part that two modules share is trained once, and a module may know the one above it", () => {
  class Child extends Module {
    constructor(
      readonly up: Module | undefined,
      readonly w: Tensor,
    ) {
      super();
    }
    override forward(x: Tensor): Tensor {
      return mul(x, this.w);
    }
  }
  class Top extends Module {
    w = parameter(1);
    a = new Child(this, this.w);
    b = new Child(this, parameter(2));
    c = this.b;
    override forward(x: Tensor): Tensor {
      return add(this.a.forward(x), this.c.forward(x));
    }
  }
  const top = new Top();
  assert.equal([...top.namedParameters().keys()], ["w", "b.w"]);
  assert.is(top.modules().length, 3);
  top.dispose();
});

test("what trains and is left out is an error that names the field", () => {
  class Mixed extends Fields {
    protected override children(): Record<string, Module> {
      return { left: this.heads.left };
    }
  }
  throwsCode(() => new Mixed().parameters(), "ERR_LCONV_ARGUMENT", "Mixed", "layers.0", "children()");
  class Half extends Module {
    w = parameter(1);
    v = parameter(2);
    cache = tensor([0]);
    override forward(x: Tensor): Tensor {
      return x;
    }
    protected override ownParameters(): Record<string, Tensor> {
      return { w: this.w };
    }
  }
  throwsCode(() => new Half().save(), "ERR_LCONV_ARGUMENT", "Half", '"v"', "ownParameters()");
});

test("load: what readSafetensors returns; a value that does not fit is named, and then nothing was changed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lconv-module-"));
  try {
    const [m, other] = [new Fields(), new Fields()];
    const path = join(folder, "m.safetensors");
    await writeSafetensors(path, m.save());
    other.load(readSafetensors(path));
    other.load(readSafetensors(path).tensors);
    assert.equal(other.save(), m.save());

    const before = m.save();
    const changed = (name: string, data: Float32Array | Float64Array): ReturnType<Module["save"]> => {
      const values = new Map([...m.save()].map(([key, { shape, data: old }]) => [key, { shape, data: old.map((x) => x + 1) }]));
      values.set(name, { shape: values.get(name)!.shape, data: data as Float32Array<ArrayBuffer> });
      return values;
    };
    throwsCode(() => m.load(changed("layers.1.W", new Float32Array(5))), "ERR_LCONV_CHECKPOINT", "layers.1.W", "6 values", "of 5");
    throwsCode(() => m.load(changed("layers.1.W", new Float64Array(6))), "ERR_LCONV_CHECKPOINT", "layers.1.W", "Float64Array");
    for (const nothing of [{}, null, undefined, { tensors: {} }]) throwsCode(() => m.load(nothing as never), "ERR_LCONV_ARGUMENT", "load");
    assert.equal(m.save(), before);

    const [last] = [...m.namedParameters().values()].slice(-1); // a running program holds the last one alone
    const program = record(() => sum(mul(last, last)));
    const running = program.run({ steps: 20_000 });
    throwsCode(() => m.load(changed("scale", new Float32Array(2))), "ERR_LCONV_BUSY", "heads.right.inner.W");
    await running;
    assert.equal(m.save(), before);
    program.dispose();
    m.dispose();
    other.dispose();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();
