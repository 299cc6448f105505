// Tells what others make of objects: kstatus, by which Flux and `kubectl wait` tools judge, and a health script as Argo CD
// runs it (gopher-lua, the object as the table `obj`), which it does not ask of an object that is being deleted. Reads a JSON array of objects, writes one of answers.
//
//	kstatus HEALTH.LUA < objects.json
package main

import (
	"encoding/json"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type answer struct {
	Kstatus string `json:"kstatus"`
	Health  string `json:"health"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

func run() error {
	script, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	var objects []map[string]any
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return err
	}
	answers := make([]answer, 0, len(objects))
	for _, object := range objects {
		computed, err := status.Compute(&unstructured.Unstructured{Object: integers(object).(map[string]any)})
		if err != nil {
			return err
		}
		// Argo CD's own verdict, before any script.
		health, message := "Progressing", "Pending deletion"
		if !isBeingDeleted(object) {
			if health, message, err = assess(string(script), object); err != nil {
				return err
			}
		}
		answers = append(answers, answer{string(computed.Status), health, message})
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func isBeingDeleted(object map[string]any) bool {
	metadata, ok := object["metadata"].(map[string]any)
	return ok && metadata["deletionTimestamp"] != nil
}

// An unstructured object holds whole numbers as int64; encoding/json makes float64 of them.
func integers(value any) any {
	switch typed := value.(type) {
	case map[string]any:
		for key, inner := range typed {
			typed[key] = integers(inner)
		}
	case []any:
		for i, inner := range typed {
			typed[i] = integers(inner)
		}
	case float64:
		return int64(typed)
	}
	return value
}

func assess(script string, object map[string]any) (string, string, error) {
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the health script returns no table")
	}
	return table.RawGetString("status").String(), table.RawGetString("message").String(), nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch typed := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, inner := range typed {
			table.RawSetString(key, toLua(state, inner))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, inner := range typed {
			table.Append(toLua(state, inner))
		}
		return table
	case string:
		return lua.LString(typed)
	case bool:
		return lua.LBool(typed)
	case int64:
		return lua.LNumber(typed)
	case float64:
		return lua.LNumber(typed)
	}
	return lua.LNil
}
