-- Argo CD's health of a ModelDeployment: what its status says of the spec as it is now.
local health = { status = "Progressing", message = "the operator has not seen this spec yet" }
local status = obj.status
if status == nil or status.phase == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
health.status = status.phase
health.message = status.message or ""
return health
