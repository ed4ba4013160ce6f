// Renders as `helm template` does, for the tests that compare iter8's own renderer with Helm.
//
//	helm chart DIRECTORY   renders a chart for each case of a JSON list on stdin
//	helm templates         renders each template of a JSON list on stdin, as the only template of a chart
//	helm providers         renders each template of a JSON list on stdin as Iter8 v0.13 does those of metric providers
//	helm names             prints the names of Sprig's functions, as a JSON list
//
// All but the last print a JSON list with one answer for each entry: what it gave, or why Helm refuses it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

// The version of Kubernetes that iter8's renderer tells its templates, so that both say the same.
var kubernetes = chartutil.KubeVersion{Version: "v1.34.0", Major: "1", Minor: "34"}

// A values file and the release to render it for.
type chartCase struct {
	Values    string `json:"values"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Revision  int    `json:"revision"`
}

// A template and its values.
type templateCase struct {
	Template string         `json:"template"`
	Values   map[string]any `json:"values"`
}

type answer struct {
	Objects []any  `json:"objects,omitempty"`
	Text    string `json:"text"`
	Error   string `json:"error,omitempty"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("helm: ")
	// Where iter8 renders, it is always UTC.
	time.Local = time.UTC
	var answers any
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "chart":
		answers, err = renderChart(os.Args[2], os.Stdin)
	case len(os.Args) == 2 && os.Args[1] == "templates":
		answers, err = renderTemplates(os.Stdin)
	case len(os.Args) == 2 && os.Args[1] == "providers":
		answers, err = renderProviders(os.Stdin)
	case len(os.Args) == 2 && os.Args[1] == "names":
		answers = slices.Sorted(maps.Keys(sprig.TxtFuncMap()))
	default:
		err = errors.New("usage: helm chart DIRECTORY | helm templates | helm providers | helm names")
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

func renderChart(directory string, input io.Reader) ([]answer, error) {
	var cases []chartCase
	if err := json.NewDecoder(input).Decode(&cases); err != nil {
		return nil, err
	}
	answers := make([]answer, len(cases))
	for i, c := range cases {
		// Rendering may change the chart that it is given.
		loaded, err := loader.Load(directory)
		if err != nil {
			return nil, err
		}
		if answers[i].Objects, err = c.render(loaded); err != nil {
			answers[i].Error = err.Error()
		}
	}
	return answers, nil
}

// The way of `helm template`: pkg/action's Install.RunWithContext and renderResources.
func (c chartCase) render(loaded *chart.Chart) ([]any, error) {
	values, err := chartutil.ReadValues([]byte(c.Values))
	if err != nil {
		return nil, err
	}
	if needed := loaded.Metadata.KubeVersion; needed != "" && !chartutil.IsCompatibleRange(needed, kubernetes.Version) {
		return nil, fmt.Errorf("chart requires kubeVersion: %s", needed)
	}
	if err := chartutil.ProcessDependencies(loaded, values); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{
		Name:      c.Name,
		Namespace: c.Namespace,
		Revision:  c.Revision,
		IsInstall: c.Revision == 1,
		IsUpgrade: c.Revision != 1,
	}
	capabilities := *chartutil.DefaultCapabilities
	capabilities.KubeVersion = kubernetes
	full, err := chartutil.ToRenderValues(loaded, values, release, &capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(loaded, full)
	if err != nil {
		return nil, err
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	if len(hooks) > 0 {
		return nil, errors.New("the chart has hooks, which iter8 does not know")
	}
	objects := []any{}
	for _, manifest := range manifests {
		var object any
		if err := yaml.UnmarshalStrict([]byte(manifest.Content), &object); err != nil {
			return nil, fmt.Errorf("%s: %w", manifest.Name, err)
		}
		// Like `kubectl apply`, which skips documents of comments alone.
		if object != nil {
			objects = append(objects, object)
		}
	}
	return objects, nil
}

func renderTemplates(input io.Reader) ([]answer, error) {
	var cases []templateCase
	if err := json.NewDecoder(input).Decode(&cases); err != nil {
		return nil, err
	}
	answers := make([]answer, len(cases))
	for i, c := range cases {
		synthetic := &chart.Chart{
			Metadata:  &chart.Metadata{Name: "c", Version: "0.1.0", APIVersion: chart.APIVersionV2},
			Templates: []*chart.File{{Name: "templates/t", Data: []byte(c.Template)}},
		}
		files, err := engine.Render(synthetic, chartutil.Values{"Values": c.Values})
		if err != nil {
			answers[i].Error = err.Error()
		}
		answers[i].Text = files["c/templates/t"]
	}
	return answers, nil
}

// The time at which templates of providers are rendered here.
var now = time.Unix(1_700_000_000, 0)

func renderProviders(input io.Reader) ([]answer, error) {
	var cases []templateCase
	if err := json.NewDecoder(input).Decode(&cases); err != nil {
		return nil, err
	}
	answers := make([]answer, len(cases))
	for i, c := range cases {
		if err := answers[i].renderProvider(c); err != nil {
			answers[i].Error = err.Error()
		}
	}
	return answers, nil
}

func (a *answer) renderProvider(c templateCase) error {
	functions := sprig.TxtFuncMap()
	functions["now"] = func() time.Time { return now }
	parsed, err := template.New("t").Funcs(functions).Parse(c.Template)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := parsed.Execute(&text, c.Values); err != nil {
		return err
	}
	a.Text = text.String()
	var read any
	if err := yaml.UnmarshalStrict([]byte(a.Text), &read); err != nil {
		return fmt.Errorf("%w in %s", err, a.Text)
	}
	a.Objects = []any{read}
	return nil
}
