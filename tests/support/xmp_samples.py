"""Packets in the style of several programs, written by hand from the formats' documentation."""

from __future__ import annotations

_START = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="{0}">'
_RDF = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
_END = '</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
_REGIONS = (
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"'
)


def build_packet(body: str, program: str = "some program") -> bytes:
    return (_START.format(program) + _RDF + body + _END).encode()


#: Region structures in rdf:Description nodes with attributes for fields; both schemes; keywords.
DIGIKAM = build_packet(
    f"""
<rdf:Description rdf:about="" {_REGIONS} xmlns:digiKam="http://www.digikam.org/ns/1.0/"
  xmlns:MP="http://ns.microsoft.com/photo/1.2/" xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
  xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
  tiff:Orientation="6">
 <digiKam:TagsList><rdf:Seq>
  <rdf:li>Places/Rome</rdf:li><rdf:li>People/Anna</rdf:li><rdf:li>People/Family</rdf:li>
  <rdf:li>People/Family/Ben</rdf:li><rdf:li>People/Unknown</rdf:li>
 </rdf:Seq></digiKam:TagsList>
 <mwg-rs:Regions rdf:parseType="Resource">
  <mwg-rs:AppliedToDimensions stDim:w="400" stDim:h="300" stDim:unit="pixel"/>
  <mwg-rs:RegionList><rdf:Bag>
   <rdf:li><rdf:Description mwg-rs:Name="Anna" mwg-rs:Type="Face">
    <mwg-rs:Area stArea:x="0.25" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2" stArea:unit="normalized"/>
   </rdf:Description></rdf:li>
  </rdf:Bag></mwg-rs:RegionList>
 </mwg-rs:Regions>
 <MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>
  <rdf:li MPReg:PersonDisplayName="Anna" MPReg:Rectangle="0.2, 0.4, 0.1, 0.2"/>
 </rdf:Bag></MPRI:Regions></MP:RegionInfo>
</rdf:Description>""",
    "XMP Core 4.4.0-Exiv2",
)
#: Structures with parseType="Resource" and elements, in a second description; one is commented out.
LIGHTROOM = build_packet(
    f"""
<rdf:Description rdf:about="" xmlns:lr="http://ns.adobe.com/lightroom/1.0/">
 <lr:hierarchicalSubject><rdf:Bag><rdf:li>People|Anna</rdf:li></rdf:Bag></lr:hierarchicalSubject>
</rdf:Description>
<rdf:Description rdf:about="" {_REGIONS}>
 <!-- <mwg-rs:Name>Nobody</mwg-rs:Name> -->
 <mwg-rs:Regions rdf:parseType="Resource">
  <mwg-rs:AppliedToDimensions rdf:parseType="Resource">
   <stDim:w>400</stDim:w><stDim:h>300</stDim:h><stDim:unit>pixel</stDim:unit>
  </mwg-rs:AppliedToDimensions>
  <mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource">
   <mwg-rs:Area rdf:parseType="Resource">
    <stArea:h>0.2</stArea:h><stArea:w>0.1</stArea:w><stArea:x>0.25</stArea:x><stArea:y>0.5</stArea:y>
   </mwg-rs:Area>
   <mwg-rs:Name>An<!-- not here -->na</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Rotation>0.1</mwg-rs:Rotation>
  </rdf:li></rdf:Bag></mwg-rs:RegionList>
 </mwg-rs:Regions>
</rdf:Description>""",
    "Adobe XMP Core 7.0",
)
#: An rdf:Description node for every structure, and a region of a pet.
PICASA = build_packet(
    f"""
<rdf:Description rdf:about="" {_REGIONS}><mwg-rs:Regions><rdf:Description>
 <mwg-rs:AppliedToDimensions><rdf:Description stDim:w="400" stDim:h="300"/></mwg-rs:AppliedToDimensions>
 <mwg-rs:RegionList><rdf:Bag>
  <rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet"><mwg-rs:Area>
   <rdf:Description stArea:x="0.5" stArea:y="0.5" stArea:w="0.1" stArea:h="0.2"/></mwg-rs:Area>
  </rdf:Description></rdf:li>
  <rdf:li><rdf:Description mwg-rs:Name="Anna"><mwg-rs:Area>
   <rdf:Description stArea:x="0,25" stArea:y="0,5" stArea:w="0,1" stArea:h="0,2"/></mwg-rs:Area>
  </rdf:Description></rdf:li>
 </rdf:Bag></mwg-rs:RegionList>
</rdf:Description></mwg-rs:Regions></rdf:Description>""",
    "XMP Core 5.1.2",
)
#: Microsoft's scheme only, with one person without a rectangle.
WINDOWS = build_packet(
    """
<rdf:Description rdf:about="" xmlns:MP="http://ns.microsoft.com/photo/1.2/"><MP:RegionInfo>
 <rdf:Description xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"><MPRI:Regions><rdf:Bag
   xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#">
  <rdf:li><rdf:Description>
   <MPReg:Rectangle>0.200000, 0.400000, 0.100000, 0.200000</MPReg:Rectangle>
   <MPReg:PersonDisplayName>Anna</MPReg:PersonDisplayName></rdf:Description></rdf:li>
  <rdf:li><rdf:Description><MPReg:PersonDisplayName>Carl</MPReg:PersonDisplayName></rdf:Description></rdf:li>
 </rdf:Bag></MPRI:Regions></rdf:Description></MP:RegionInfo></rdf:Description>""",
    "Microsoft Photo Gallery",
)
