{{- /* The labels of an object. Argo CD may track its apps by app.kubernetes.io/instance, and would take a group of the same
name as an app for a part of it, so that it only stands on objects that Helm or Argo CD manage. Takes a dict: root,
component. */ -}}
{{- define "iter8.labels" -}}
app.kubernetes.io/name: iter8
{{- if ne .root.Release.Service "kubectl-iter8" }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
{{- end }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
app.kubernetes.io/component: {{ .component }}
iter8.tools/group: {{ .root.Release.Name | quote }}
iter8.tools/revision: {{ .root.Release.Revision | quote }}
{{- end }}

{{- /* Name, namespace and labels of an object. Takes a dict: root, component, name, and namespace if it is another. */ -}}
{{- define "iter8.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "iter8.labels" . | nindent 2 }}
{{- end }}

{{- define "iter8.workload" -}}
{{ printf "iter8-%s-%v" .Release.Name .Release.Revision }}
{{- end }}

{{- define "iter8.spec" -}}
{{ printf "iter8-%s-%v-spec" .Release.Name .Release.Revision }}
{{- end }}

{{- define "iter8.result" -}}
{{ printf "iter8-%s-%v-result" .Release.Name .Release.Revision }}
{{- end }}

{{- define "iter8.rbac" -}}
{{ printf "iter8-%s" .Release.Name }}
{{- end }}

{{- /* The Role to look at objects of a namespace. Elsewhere its name has the experiment's namespace, where a group of the
same name may be another. Takes a dict: root, namespace. */ -}}
{{- define "iter8.readiness" -}}
{{- if eq .namespace .root.Release.Namespace -}}
{{ printf "iter8-%s-ready" .root.Release.Name }}
{{- else -}}
{{ printf "iter8-%s-ready.%s" .root.Release.Name .root.Release.Namespace }}
{{- end }}
{{- end }}
