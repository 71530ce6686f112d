-- Orthanc sends each mammogram that it gets to the listener (the modality "mgray" of orthanc.json).
-- Reports come back as another modality, so that nothing goes round in circles.
function OnStoredInstance(instanceId, tags, metadata, origin)
  if tags['Modality'] == 'MG' then
    SendToModality(instanceId, 'mgray')
  end
end
