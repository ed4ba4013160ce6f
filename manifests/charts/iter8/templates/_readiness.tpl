{{- /* The objects that the task ready waits for, as JSON: a list of {namespace, group, resource, name, endpoints}, where
endpoints says whether an object is judged by its EndpointSlices. */ -}}
{{- define "iter8.readiness.targets" -}}
{{- $ready := .Values.ready | default dict }}
{{- $namespace := $ready.namespace | default .Release.Namespace | toString }}
{{- $targets := list }}
{{- range $kind := list
  (dict "key" "service" "group" "" "resource" "services")
  (dict "key" "deploy" "group" "apps" "resource" "deployments")
  (dict "key" "statefulset" "group" "apps" "resource" "statefulsets")
  (dict "key" "daemonset" "group" "apps" "resource" "daemonsets")
  (dict "key" "pod" "group" "" "resource" "pods")
  (dict "key" "job" "group" "batch" "resource" "jobs")
  (dict "key" "ksvc" "group" "serving.knative.dev" "resource" "services")
  (dict "key" "isvc" "group" "serving.kserve.io" "resource" "inferenceservices")
  (dict "key" "chaosengine" "group" "litmuschaos.io" "resource" "chaosengines") }}
{{- with index $ready $kind.key }}
{{- $target := dict "namespace" $namespace "group" $kind.group "resource" $kind.resource "name" (toString .) }}
{{- $targets = append $targets (merge $target (dict "endpoints" (eq $kind.key "service"))) }}
{{- end }}
{{- end }}
{{- range $object := $ready.objects }}
{{- $group := $object.group | default "" | toString }}
{{- $resource := toString $object.resource }}
{{- $place := $object.namespace | default $namespace | toString }}
{{- $target := dict "namespace" $place "group" $group "resource" $resource "name" (toString $object.name) }}
{{- $service := and (eq $group "") (eq $resource "services") (not $object.condition) }}
{{- $targets = append $targets (merge $target (dict "endpoints" $service)) }}
{{- end }}
{{- toJson $targets }}
{{- end }}

{{- /* Rules to look at exactly these objects. Takes a list as above, of one namespace; with `any` in place of a name, all of the
resource are meant. The EndpointSlices of a Service are found by label, which no resourceNames can express. */ -}}
{{- define "iter8.readiness.rules" -}}
{{- $endpoints := false }}
{{- range . }}
- apiGroups: [{{ .group | quote }}]
  resources: [{{ .resource | quote }}]
{{- if not .any }}
  resourceNames: [{{ .name | quote }}]
{{- end }}
  verbs: [get]
{{- if .endpoints }}{{ $endpoints = true }}{{ end }}
{{- end }}
{{- if $endpoints }}
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
{{- end }}
{{- end }}
