{{- /* What the controller's pods are found by. */ -}}
{{- define "autox.selector" -}}
app.kubernetes.io/name: iter8-autox
iter8.tools/release: {{ .Release.Name | quote }}
{{- end }}

{{- /* The labels of an object. Argo CD may track its apps by app.kubernetes.io/instance, so that it only stands on objects
that Helm or Argo CD manage. */ -}}
{{- define "autox.labels" -}}
{{ include "autox.selector" . }}
{{- if ne .Release.Service "kubectl-iter8" }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/component: autox
{{- end }}

{{- /* Name, namespace and labels of an object. Takes a dict: root, name, and namespace if it is another. */ -}}
{{- define "autox.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "autox.labels" .root | nindent 2 }}
{{- end }}

{{- define "autox.config" -}}
{{ printf "%s-config" .Release.Name }}
{{- end }}

{{- /* The Role for what is done in a namespace of triggers. Elsewhere its name has the release's namespace, where a release of
the same name may be another. Takes a dict: root, namespace. */ -}}
{{- define "autox.experiments" -}}
{{- if eq .namespace .root.Release.Namespace -}}
{{ printf "%s-experiments" .root.Release.Name }}
{{- else -}}
{{ printf "%s-experiments.%s" .root.Release.Name .root.Release.Namespace }}
{{- end }}
{{- end }}
