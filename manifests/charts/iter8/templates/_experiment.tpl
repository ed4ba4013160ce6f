{{- /* Fails with one sentence when the values make no experiment. */ -}}
{{- define "iter8.check" -}}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$" .Release.Name) }}
{{- fail (printf "`%s` cannot be the name of a group: use at most 40 lower-case letters, digits and `-`, with a letter or digit at both ends" .Release.Name) }}
{{- end }}
{{- if not .Values.tasks }}
{{- fail "tasks is empty: name the tasks to run, for instance --set 'tasks={http,assess}'" }}
{{- end }}
{{- if not (kindIs "slice" .Values.tasks) }}
{{- fail (printf "tasks is `%v`: it must be a list, for instance --set 'tasks={http,assess}'" .Values.tasks) }}
{{- end }}
{{- if has "" .Values.tasks }}
{{- fail "tasks has an empty name: name the tasks to run, for instance --set 'tasks={http,assess}'" }}
{{- end }}
{{- if not (has .Values.runner (list "job" "cronjob" "none")) }}
{{- fail (printf "runner is `%v`: it must be job, cronjob or none" .Values.runner) }}
{{- end }}
{{- if and (eq .Values.runner "cronjob") (not .Values.cronjobSchedule) }}
{{- fail "runner is cronjob and cronjobSchedule is not set: say when to run, for instance --set 'cronjobSchedule=*/5 * * * *'" }}
{{- end }}
{{- end }}

{{- /* The spec of the experiment: one step for each task, with the value of the task's name as its inputs. */ -}}
{{- define "iter8.experiment" -}}
apiVersion: iter8.tools/v1
{{- with .Values.trigger }}
trigger: {{ toJson . }}
{{- end }}
spec:
{{- range $task := .Values.tasks }}
- task: {{ $task | toJson }}
{{- with index $.Values $task }}
{{- if and (hasKey . "if") (not (kindIs "invalid" (index . "if"))) }}
  if: {{ index . "if" | toString | toJson }}
{{- end }}
{{- with omit . "if" }}
  with:
    {{- toPrettyJson . | nindent 4 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
