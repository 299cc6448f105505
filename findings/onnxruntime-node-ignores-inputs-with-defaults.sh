#!/usr/bin/env bash
# onnxruntime's binding for Node.js ignores the value that is fed for an input with a default, and gives no error.
#
# Version:   onnxruntime-node 1.30.0 (npm), beside onnxruntime 1.30.0 (PyPI).
# Input:     an ONNX model (IR 8, opset 17) that computes y = x * s, where the graph's input s has an initializer of the
#            same name: ONNX's way to give an input a default, which a caller may override since IR 4.
# Behaviour: with x = [1, 2] and s = [10], Python answers [10, 20]. Node answers [3, 6], by the default s = 3.
# Cause:     the binding asks for the names of required inputs only, and takes from `feeds` what has such a name.
# Met by:    models of converters that keep initializers as inputs, and detectors with thresholds as optional inputs.
#
# Needs Node 20 or later with npm, Python 3.11 with venv, and their registries. Usage: findings/onnxruntime-node-ignores-inputs-with-defaults.sh
# Exit status: 0 as described, 1 changed, 2 not run.
set -euo pipefail

expected="\
Node: inputs x; y = 3,6
Python: inputs x; y = [10.0, 20.0]"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
not_run() { echo "not run: $1" >&2; exit 2; }

cat >make.cjs <<'JS'
const { onnx } = require("onnx-proto");
const value = (name, size) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: size }] } } },
});
const model = {
  irVersion: 8,
  opsetImport: [{ version: 17 }],
  graph: {
    name: "scaled",
    node: [{ input: ["x", "s"], output: ["y"], opType: "Mul" }],
    input: [value("x", 2), value("s", 1)],
    output: [value("y", 2)],
    initializer: [{ name: "s", dataType: 1, dims: [1], floatData: [3] }],
  },
};
require("fs").writeFileSync("scaled.onnx", onnx.ModelProto.encode(model).finish());
JS
cat >run.cjs <<'JS'
const { InferenceSession, Tensor } = require("onnxruntime-node");
(async () => {
  const session = await InferenceSession.create("scaled.onnx");
  const { y } = await session.run({
    x: new Tensor("float32", [1, 2], [2]),
    s: new Tensor("float32", [10], [1]),
  });
  console.log(`Node: inputs ${session.inputNames}; y = ${y.data}`);
})();
JS
cat >run.py <<'PY'
import numpy
import onnxruntime

session = onnxruntime.InferenceSession("scaled.onnx", providers=["CPUExecutionProvider"])
feeds = {"x": numpy.array([1, 2], "float32"), "s": numpy.array([10], "float32")}
names = ",".join(each.name for each in session.get_inputs())
print(f"Python: inputs {names}; y = {session.run(None, feeds)[0].tolist()}")
PY

echo '{"private": true}' >package.json
npm install --no-audit --no-fund --loglevel=error --onnxruntime-node-install-cuda=skip onnxruntime-node@1.30.0 onnx-proto@8.0.1 >&2 ||
  not_run "npm could not install the packages"
python3 -m venv python >&2 && python/bin/pip install -q onnxruntime==1.30.0 numpy==2.3.5 >&2 || not_run "pip could not install the packages"

node make.cjs
seen="$(node run.cjs)
$(python/bin/python run.py)"
echo "$seen"
[ "$seen" = "$expected" ] || { echo "changed; expected:" >&2; echo "$expected" >&2; exit 1; }
echo "as described"
