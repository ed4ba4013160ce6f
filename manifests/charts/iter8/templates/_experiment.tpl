{{- /* Fails with one sentence when the values make no experiment. */ -}}
{{- define "iter8.check" -}}
{{- if gt (len .Release.Name) 40 }}
{{- fail (printf "the group `%s` has %d characters: a group has at most 40" .Release.Name (len .Release.Name)) }}
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
spec:
{{- range $task := .Values.tasks }}
- task: {{ $task | toJson }}
{{- with index $.Values $task }}
{{- with get . "if" }}
  if: {{ . | toJson }}
{{- end }}
{{- with omit . "if" }}
  with:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
