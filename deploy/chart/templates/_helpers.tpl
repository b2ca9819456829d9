{{- define "winepress.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 24 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 24 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "winepress.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "winepress.labels" -}}
{{ include "winepress.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "winepress.image" -}}
{{ .root.Values.image.repository }}-{{ .target }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}

{{/*
The enabled sets of workers as YAML, name -> set. What a set says wins, zero and nothing included, which
Helm's own merges leave out; a cache is one kind of volume, so that of a set replaces the default's.
*/}}
{{- define "winepress.sets" -}}
{{- $sets := dict -}}
{{- range $name, $given := .Values.workers -}}
{{- if dig "enabled" true $given -}}
{{- $one := deepCopy $.Values.workerDefaults -}}
{{- range $key, $value := omit $given "autoscaling" -}}
{{- $_ := set $one $key $value -}}
{{- end -}}
{{- range $key, $value := $given.autoscaling -}}
{{- $_ := set $one.autoscaling $key $value -}}
{{- end -}}
{{- $_ := set $sets $name $one -}}
{{- end -}}
{{- end -}}
{{- toYaml $sets -}}
{{- end -}}

{{- define "winepress.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "winepress.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "winepress.environment" -}}
- {name: WINEPRESS_CONFIG, value: /etc/winepress/settings/settings.toml}
{{- range $name, $value := .Values.environment }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end -}}

{{- define "winepress.mounts" -}}
- {name: settings, mountPath: /etc/winepress/settings, readOnly: true}
- {name: scratch, mountPath: /tmp}
{{- if .Values.authorities }}
- {name: authorities, mountPath: /etc/winepress/authorities, readOnly: true}
{{- end }}
{{- end -}}

{{- define "winepress.volumes" -}}
- name: settings
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
- name: scratch
  emptyDir: {}
{{- if .root.Values.authorities }}
- name: authorities
  configMap: {name: {{ .root.Values.authorities }}}
{{- end }}
{{- end -}}
