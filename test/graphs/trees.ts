/** Parameters of ai.onnx.ml's models. */

/** Which side of 0 the first feature is on. */
export const TREE = {
  n_targets: 1,
  nodes_treeids: [0, 0, 0],
  nodes_nodeids: [0, 1, 2],
  nodes_featureids: [0, 0, 0],
  nodes_modes: ["BRANCH_LEQ", "LEAF", "LEAF"],
  nodes_values: { floats: [0, 0, 0] },
  nodes_truenodeids: [1, 0, 0],
  nodes_falsenodeids: [2, 0, 0],
  nodes_hitrates: { floats: [1, 1, 1] },
  target_treeids: [0, 0],
  target_nodeids: [1, 2],
  target_ids: [0, 0],
  target_weights: { floats: [-3, 5] },
};

/** The same with two classes. */
export const TREE_CLASSES = {
  classlabels_int64s: [0, 1],
  nodes_treeids: [0, 0, 0],
  nodes_nodeids: [0, 1, 2],
  nodes_featureids: [1, 0, 0],
  nodes_modes: ["BRANCH_LEQ", "LEAF", "LEAF"],
  nodes_values: { floats: [0.5, 0, 0] },
  nodes_truenodeids: [1, 0, 0],
  nodes_falsenodeids: [2, 0, 0],
  nodes_hitrates: { floats: [1, 1, 1] },
  class_treeids: [0, 0],
  class_nodeids: [1, 2],
  class_ids: [0, 1],
  class_weights: { floats: [1, 1] },
};
