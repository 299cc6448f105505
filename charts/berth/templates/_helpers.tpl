{{/* Names: `berth-operator` for a release called berth, `prod-berth-operator` for one called prod. Two releases never have the
     same: prod-berth is `prod-berth`, not `prod-berth-operator`; what is too long, or no name of a Service (a digit first, a dot), is
     changed and gets a hash. With what is appended ("-metrics", "-router", "-test") it fits into 63 characters. */}}
{{- define "berth.fullname" -}}
{{- $name := .Values.nameOverride | default "berth" -}}
{{- $isPlain := regexMatch "^[a-z][-a-z0-9]*$" .Release.Name -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if and $isPlain (hasSuffix (printf "-%s" $name) .Release.Name) -}}
{{ .Release.Name }}
{{- else -}}
{{- $whole := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- $hash := printf "%s/%s" .Release.Name $name | sha256sum | trunc 8 -}}
{{- if not $isPlain -}}
{{- $whole = printf "berth-%s-%s" ($whole | replace "." "-" | trunc 31 | trimSuffix "-") $hash -}}
{{- else if gt (len $whole) 46 -}}
{{- $whole = printf "%s-%s" ($whole | trunc 37 | trimSuffix "-") $hash -}}
{{- end -}}
{{ $whole }}-operator
{{- end -}}
{{- end -}}

{{/* What is not in the release's own namespace has that in its name: a release of the same name elsewhere has its own. No
     name of a namespace has a colon. Called with the root and what is appended. */}}
{{- define "berth.sharedName" -}}
{{- $root := first . -}}
{{ include "berth.fullname" $root }}{{ last . }}:{{ $root.Release.Namespace }}
{{- end -}}

{{- define "berth.selector" -}}
app.kubernetes.io/name: berth-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "berth.labels" -}}
{{ include "berth.selector" . }}
app.kubernetes.io/version: {{ include "berth.labelValue" .Chart.AppVersion }}
app.kubernetes.io/part-of: berth
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ include "berth.labelValue" (printf "%s-%s" .Chart.Name .Chart.Version) }}
{{- end -}}

{{/* A version such as 1.2.0+build.7 has what no label may. */}}
{{- define "berth.labelValue" -}}
{{ regexReplaceAll "[^A-Za-z0-9._-]" . "_" | trunc 63 | regexFind "^.*[A-Za-z0-9]" | quote }}
{{- end -}}

{{/* An image value: by its digest where it has one, else with the chart's version for an empty tag. */}}
{{- define "berth.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}{{ with .image.tag }}:{{ . }}{{ end }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .version }}
{{- end -}}
{{- end -}}

{{/* A duration such as 1m30s in milliseconds. */}}
{{- define "berth.milliseconds" -}}
{{- $total := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $total = add $total (mul (regexFind "[0-9]+" . | int64) (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit)) -}}
{{- end -}}
{{ $total }}
{{- end -}}

{{/* What values.schema.json cannot say: values that fit one by one, and not together. */}}
{{- define "berth.check" -}}
{{- if eq (toString .Values.enabled) "false" -}}
{{- fail "enabled: false is for the `condition: berth.enabled` of a parent chart, which then leaves this one out; here it would do nothing" -}}
{{- end -}}
{{- with .Values.leaderElection -}}
{{- $lease := include "berth.milliseconds" .leaseDuration | int64 -}}
{{- $deadline := include "berth.milliseconds" .renewDeadline | int64 -}}
{{- $retry := include "berth.milliseconds" .retryPeriod | int64 -}}
{{- if or (eq $lease 0) (ne (mod $lease 1000) 0) -}}
{{- fail "leaderElection.leaseDuration must be whole seconds, at least 1s" -}}
{{- end -}}
{{- if ge $deadline $lease -}}
{{- fail "leaderElection.renewDeadline must be shorter than leaderElection.leaseDuration, or two could lead" -}}
{{- end -}}
{{- if or (eq $retry 0) (ge (mul $retry 12) (mul $deadline 10)) -}}
{{- fail "leaderElection.retryPeriod must be above 0 and, with its jitter (× 1.2), shorter than leaderElection.renewDeadline" -}}
{{- end -}}
{{- end -}}
{{- end -}}
