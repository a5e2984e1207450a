import { attach } from "../autograd/autograd.js";
import * as commands from "../engine/commands.js";
import { check, showShape } from "../errors.js";
import { numel } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { checkDtype, sameDevice } from "./check.js";

/**
 * Rows of `table` [N, ...] by number: y[j, ...] = table[index[j], ...], index [n] int32 -> [n, ...]. An index out of range gives NaN. The
 * gradient adds up the rows that were taken more than once. Throws ERR_LCONV_SHAPE.
 */
export function gather(table: Tensor, index: Tensor): Tensor {
  checkDtype("gather", "index", index, "int32");
  check(
    table.rank >= 1 && index.rank === 1,
    "ERR_LCONV_SHAPE",
    () => `gather: needs a table [N, ...] and an index [n], got ${showShape(table.shape)} and ${showShape(index.shape)}`,
  );
  const device = sameDevice("gather", table, index);
  const [rows, ...rest] = table.shape;
  const size = numel(rest);
  const y = Tensor.empty(device, [index.size, ...rest], table.dtype);
  commands.gather(device, rows, size, index.size, table, index, y);
  return attach("gather", [table], y, (dy) => {
    const dtable = Tensor.empty(device, table.shape);
    commands.gatherGrad(device, rows, size, index.size, dy, index, dtable);
    return [dtable];
  });
}
