-- Orthanc sends each mammogram that it gets to the listener (the modality "mgray" of orthanc.json).
-- As a job: while SendToModality waits for the answer no other script runs, so the report, which
-- comes before the answer, would wait for its own image. Reports are of another modality, so that
-- nothing goes round in circles.
function OnStoredInstance(instanceId, tags, metadata, origin)
  if tags['Modality'] == 'MG' then
    local job = {Resources = {instanceId}, Synchronous = false}
    RestApiPost('/modalities/mgray/store', DumpJson(job))
  end
end
